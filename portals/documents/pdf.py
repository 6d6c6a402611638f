# SPDX-License-Identifier: Apache-2.0
"""The smallest honest PDF of a document, ready to be sealed (ISO 32000-1, 7.5: file structure)."""


def pdf(lines: list[str]) -> bytes:
    """One A4 page of Latin text; the same lines give the same bytes."""
    text = "\n".join(f"({_escaped(line)}) Tj T*" for line in lines)
    stream = f"BT /F1 14 Tf 18 TL 72 770 Td\n{text}\nET".encode("ascii")
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    content = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    for offset in offsets:
        content += b"%010d 00000 n \n" % offset
    content += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
    return bytes(content)


def _escaped(line: str) -> str:
    # What Latin text cannot show becomes a question mark; parentheses and backslashes end strings in PDF.
    plain = line.encode("ascii", "replace").decode("ascii")
    return plain.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
