# SPDX-License-Identifier: Apache-2.0
"""Lists the sample city is made from; every person and company in it is made up."""

SURNAMES = (
    "王 Wang,李 Li,张 Zhang,刘 Liu,陈 Chen,杨 Yang,黄 Huang,赵 Zhao,吴 Wu,周 Zhou,徐 Xu,孙 Sun,马 Ma,朱 Zhu,胡 Hu,"
    "郭 Guo,何 He,林 Lin,罗 Luo,高 Gao,郑 Zheng,梁 Liang,谢 Xie,宋 Song,唐 Tang,许 Xu,韩 Han,邓 Deng,冯 Feng,曹 Cao,"
    "彭 Peng,曾 Zeng,肖 Xiao,田 Tian,董 Dong,潘 Pan,袁 Yuan,蔡 Cai,蒋 Jiang,余 Yu"
)
GIVEN = (
    "伟 Wei,芳 Fang,娜 Na,敏 Min,静 Jing,磊 Lei,强 Qiang,洋 Yang,艳 Yan,勇 Yong,军 Jun,杰 Jie,娟 Juan,涛 Tao,明 Ming,"
    "超 Chao,霞 Xia,平 Ping,刚 Gang,丽 Li,建国 Jianguo,志强 Zhiqiang,秀英 Xiuying,海燕 Haiyan,晓东 Xiaodong,"
    "文博 Wenbo,子涵 Zihan,雨桐 Yutong,浩然 Haoran,思远 Siyuan,佳怡 Jiayi,天宇 Tianyu,梓萱 Zixuan,一鸣 Yiming,"
    "若兰 Ruolan,春梅 Chunmei,国栋 Guodong,玉兰 Yulan,俊杰 Junjie,欣妍 Xinyan,立新 Lixin,慧敏 Huimin"
)
AGENCIES = (
    ("tax-bureau", "Tax Bureau", "税务局"),
    ("social-insurance-bureau", "Human Resources and Social Security Bureau", "人力资源和社会保障局"),
    ("document-office", "Document Office", "公文管理办公室"),
    ("market-regulation", "Market Regulation Bureau", "市场监督管理局"),
    ("civil-affairs", "Civil Affairs Bureau", "民政局"),
    ("data-bureau", "Government Services and Data Bureau", "政务服务和数据管理局"),
)
COMPANY_FIRST = (
    "金禾 Jinhe,东湖 Donghu,云岭 Yunling,新叶 Xinye,长桥 Changqiao,北辰 Beichen,远帆 Yuanfan,青石 Qingshi,"
    "和顺 Heshun,明川 Mingchuan"
)
COMPANY_TRADE = (
    ("贸易有限公司", "Trading Co., Ltd."),
    ("软件有限公司", "Software Co., Ltd."),
    ("食品有限公司", "Foods Co., Ltd."),
    ("物流有限公司", "Logistics Co., Ltd."),
)
ROLES = (
    ("case-worker", "Case worker", "经办人员", "documents/cases.read documents/cases.decide"),
    ("head-of-section", "Head of section", "科室负责人", "documents/cases.read documents/cases.sign"),
)
CONTRACTORS = (
    ("contractor-tax", "Contractor at the tax portal", "税务门户外包人员"),
    ("contractor-social", "Contractor at the social insurance portal", "社会保险门户外包人员"),
    ("contractor-documents", "Contractor at the document office", "公文门户外包人员"),
)
OFFICES = (
    (
        "Public Counter",
        "办事大厅",
        (("Counter clerk", "窗口办事员", "case-worker"), ("Head of the counter", "大厅负责人", "head-of-section")),
    ),
    ("General Office", "办公室", (("Office clerk", "办公室科员", ""), ("Archivist", "档案管理员", ""))),
)
OFFERS = (
    ("tax", "Taxes", "税务", "tax-bureau", "tax"),
    ("social", "Social insurance", "社会保险", "social-insurance-bureau", "social"),
    ("seal", "Putting the organisation's seal on documents", "加盖单位印章", "document-office", "documents"),
)
DEVICES = ("Counter kiosk", "Document scanner", "Data exchange server", "Self-service terminal", "Seal printer")


def pairs(text: str) -> list[tuple[str, str]]:
    """Chinese and Latin form of each item of a list above."""
    return [(item.split()[0], item.split()[1]) for item in text.split(",")]
