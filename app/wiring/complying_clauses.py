# SPDX-License-Identifier: Apache-2.0
"""The clauses, and which look shows each; ``beyond`` are those the site's network or organisation shows the rest of."""

from collections.abc import Callable, Sequence

from audit.web import Clause, Finding
from audit.web.complying import Kind

from .complying_record import Recorded
from .complying_settings import InForce
from .complying_trials import Trials

Look = Callable[[], Finding]
_SYSTEM = ("directory.", "ca.", "log.")
_WATCHING = ("audit.",)
_SECURITY = ("policy.", "gateway.switch.")


def both(*looks: Look) -> Look:
    """All of them must be so; what they show stands together. What one cannot show, all cannot."""

    def look() -> Finding:
        found = [each() for each in looks]
        shown = tuple(line for each in found for line in each.shown)
        return Finding(met=all(each.met for each in found), shown=shown if all(each.shown for each in found) else ())

    return look


def level_three(trials: Trials, force: InForce, record: Recorded) -> list[Clause]:
    """GB/T 22239-2019, 8.1."""
    rows: list[tuple[str, str, str, Kind, Look | None]] = [
        ("8.1.2.1", "Networks are divided into areas", "网络架构 · 划分不同网络区域", "setting", force.areas),
        ("8.1.2.2", "What travels is protected", "通信传输 · 保证完整性与保密性", "test", trials.transport),
        (
            "8.1.3.1 a",
            "Borders are crossed at gateways only",
            "边界防护 · 跨越边界经受控接口",
            "record",
            record.crossings,
        ),
        ("8.1.3.1 b", "Devices of strangers are kept out", "边界防护 · 非授权设备内联", "test", trials.stranger_device),
        (
            "8.1.3.1 c",
            "Insiders' way out is checked",
            "边界防护 · 非授权外联",
            "test",
            both(trials.outward, record.outward),
        ),
        ("8.1.3.1 d", "Wireless enters at a border device", "边界防护 · 无线网络经受控边界设备接入", "site", None),
        ("8.1.3.2 a", "What no rule allows is refused", "访问控制 · 默认拒绝所有通信", "test", trials.refused),
        ("8.1.3.2 b", "No rule is superfluous", "访问控制 · 删除多余或无效规则", "test", trials.needless),
        (
            "8.1.3.2 c",
            "Source, destination, port and protocol are checked",
            "访问控制 · 检查源、目的、端口与协议",
            "record",
            record.five,
        ),
        ("8.1.3.2 d", "Sessions decide", "访问控制 · 根据会话状态允许或拒绝", "setting", force.sessions),
        ("8.1.3.2 e", "Protocol and content decide", "访问控制 · 基于应用协议和内容", "setting", force.content),
        ("8.1.3.3 a", "Attacks from outside are stopped", "入侵防范 · 外部发起的攻击", "record", record.attacks),
        ("8.1.3.3 b", "Attacks from inside are stopped", "入侵防范 · 内部发起的攻击", "test", trials.management),
        ("8.1.3.3 c", "The network's behaviour is analysed", "入侵防范 · 网络行为分析", "setting", force.exported),
        ("8.1.3.3 d", "Attacks are recorded and alarm", "入侵防范 · 记录攻击并报警", "record", record.attack_told),
        ("8.1.3.4", "Malicious code and spam are kept out", "恶意代码和垃圾邮件防范", "site", None),
        ("8.1.3.5 a", "Every user's acts are recorded", "安全审计 · 覆盖到每个用户", "record", record.everybody),
        ("8.1.3.5 b", "Records say who, when, what, how it ended", "安全审计 · 记录要素完整", "record", record.whole),
        ("8.1.3.5 c", "Records cannot be changed", "安全审计 · 保护审计记录", "record", record.kept),
        (
            "8.1.3.5 d",
            "Remote access and internet access are looked at apart",
            "安全审计 · 远程访问与互联网访问单独审计",
            "record",
            record.apart,
        ),
        ("8.1.3.6", "Configuration is verified from a root", "可信验证", "test", trials.signed),
        (
            "8.1.4.1 a",
            "Names are unique, passwords hard to guess",
            "身份鉴别 · 标识唯一与口令复杂度",
            "setting",
            force.passwords,
        ),
        ("8.1.4.1 b", "Failed logins are held up, idle ones end", "身份鉴别 · 登录失败处理", "setting", force.failures),
        (
            "8.1.4.1 c",
            "Administrators' secrets travel protected",
            "身份鉴别 · 远程管理防窃听",
            "test",
            trials.transport,
        ),
        ("8.1.4.1 d", "Two factors, one cryptographic", "身份鉴别 · 两种或以上鉴别技术", "test", trials.weak),
        ("8.1.4.2 a", "Rights follow an account", "访问控制 · 分配账户和权限", "test", trials.unlisted),
        ("8.1.4.2 b", "No default accounts", "访问控制 · 默认账户与口令", "test", trials.no_defaults),
        ("8.1.4.2 c", "Accounts end with their reason", "访问控制 · 停用多余与过期账户", "record", record.left),
        ("8.1.4.2 d", "Administrators' rights are kept apart", "访问控制 · 管理用户权限分离", "test", trials.apart),
        (
            "8.1.4.2 e",
            "Two administrators release policies",
            "访问控制 · 授权主体配置策略",
            "setting",
            force.released_by_two,
        ),
        ("8.1.4.2 f", "Down to persons, programs and paths", "访问控制 · 主客体粒度", "setting", force.granular),
        ("8.1.4.2 g", "Labels decide", "访问控制 · 安全标记", "test", trials.labels),
        ("8.1.4.3 a", "Every user's acts are recorded", "安全审计 · 覆盖到每个用户", "record", record.everybody),
        ("8.1.4.3 b", "Records say who, when, what, how it ended", "安全审计 · 记录要素完整", "record", record.whole),
        ("8.1.4.3 c", "Records cannot be changed", "安全审计 · 保护审计记录", "record", record.kept),
        ("8.1.4.3 d", "Recording is not interrupted", "安全审计 · 保护审计进程", "record", record.running),
        ("8.1.4.4 c", "Management from a network of its own", "入侵防范 · 限制管理终端", "test", trials.management),
        ("8.1.4.4 d", "What comes in is validated", "入侵防范 · 数据有效性检验", "test", trials.validated),
        (
            "8.1.4.7",
            "Data are whole, in transit and at rest",
            "数据完整性",
            "record",
            both(trials.transport, record.kept),
        ),
        (
            "8.1.4.8",
            "Data are confidential, in transit and at rest",
            "数据保密性",
            "record",
            both(trials.transport, record.sealed),
        ),
        (
            "8.1.4.9",
            "Copies in another place, and a second processor",
            "数据备份恢复 · 异地备份与热冗余",
            "setting",
            force.copies,
        ),
        ("8.1.4.10", "Storage of credentials is cleared", "剩余信息保护", "site", None),
        ("8.1.4.11", "Personal information only as needed", "个人信息保护", "record", record.sealed),
        ("8.1.5.1", "System administrators' acts are recorded", "系统管理", "record", record.by(_SYSTEM)),
        ("8.1.5.2", "Auditors' acts are recorded", "审计管理", "record", record.by(_WATCHING)),
        ("8.1.5.3", "Security administrators' acts are recorded", "安全管理", "record", record.by(_SECURITY)),
        (
            "8.1.5.4",
            "Records are gathered and kept for 180 days",
            "集中管控 · 审计记录留存不少于六个月",
            "setting",
            force.retention,
        ),
    ]
    beyond = {
        *("8.1.2.1", "8.1.3.1 b", "8.1.3.1 c", "8.1.3.3 a", "8.1.3.3 b", "8.1.3.3 c", "8.1.3.6", "8.1.4.7", "8.1.4.8"),
        *("8.1.4.2 b", "8.1.4.9", "8.1.4.11", "8.1.5.1", "8.1.5.4"),
    }
    return _made(rows, beyond)


def tenets(trials: Trials, force: InForce, record: Recorded) -> list[Clause]:
    """NIST SP 800-207, section 2.1."""
    rows: list[tuple[str, str, str, Kind, Look | None]] = [
        ("1", "Everything is a resource", "一切数据源与服务均为资源", "setting", both(force.resources, force.granular)),
        ("2", "All communication is secured", "所有通信均受保护", "test", trials.transport),
        ("3", "Access is granted for each session", "按会话授予访问", "setting", both(force.sessions, record.five)),
        ("4", "Access follows a dynamic policy", "访问由动态策略决定", "test", both(trials.labels, trials.weak)),
        ("5", "Devices are watched", "监测所有设备的安全状态", "test", trials.stranger_device),
        ("6", "Decided anew, before access", "访问前动态认证与授权", "record", both(trials.refused, record.crossings)),
        (
            "7",
            "What happens is collected and used",
            "收集并利用状态信息",
            "record",
            both(record.everybody, record.attack_told),
        ),
    ]
    return _made(rows, {"2", "5", "7"})


def _made(rows: Sequence[tuple[str, str, str, Kind, Look | None]], beyond: set[str]) -> list[Clause]:
    return [
        Clause(number=number, asks=asks, asks_zh=asks_zh, kind=kind, look=look, beyond=number in beyond)
        for number, asks, asks_zh, kind, look in rows
    ]
