import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { ContentError, decodeMultipart } from "../../../src/content/index.js";

const type = "multipart/form-data; boundary=x";
const part = (header: string, content = "1"): string => `--x\r\n${header}\r\n\r\n${content}\r\n`;
const named = part('Content-Disposition: form-data; name="a"');

function read(body: string, isPlain: boolean): string | undefined {
  try {
    return decodeMultipart(Buffer.from(body), type, { isPlain });
  } catch (error) {
    return error instanceof ContentError ? error.code : String(error);
  }
}

describe("a multipart body that every reader reads in the same way", () => {
  it.each([
    ["one part", `${named}--x--\r\n`, '{"a":["1"]}'],
    ["a file", `${part('Content-Disposition: form-data; name="a"; filename="C:\\x"')}--x--`, '{"a":["1"]}'],
    [
      "a file's name in UTF-8",
      `${part("Content-Disposition: form-data; name=a; filename*=utf-8''%C3%A9")}--x--`,
      '{"a":["1"]}',
    ],
    [
      "a charset that is ours",
      `${part("Content-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=UTF-8")}--x--`,
      '{"a":["1"]}',
    ],
    [
      "an encoding that is none",
      `${part("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: binary")}--x--`,
      '{"a":["1"]}',
    ],
    ["empty lines around", `\r\n${named}--x--\r\n\r\n`, '{"a":["1"]}'],
    [
      "lines of their own in a part",
      `${part("Content-Disposition: form-data; name=a", "1\n2\r3 --x")}--x--`,
      '{"a":["1\\n2\\r3 --x"]}',
    ],
  ])("may have %s", (_, body, expected) => {
    expect(read(body, true)).toBe(expected);
    expect(read(body, false)).toBe(expected);
  });

  it.each([
    ["text before the first boundary", `hello\r\n${named}--x--`, '{"a":["1"]}'],
    [
      "parts behind the last boundary",
      `${named}--x--\r\n${part("Content-Disposition: form-data; name=b")}--x--`,
      '{"a":["1"]}',
    ],
    ["lines without CR", `${named}--x--`.replaceAll("\r", ""), '{"a":["1"]}'],
    ["a part without a name", `${named}${part("Content-Disposition: form-data")}--x--`, '{"a":["1"]}'],
    [
      "a part that is no form data",
      `${named}${part("Content-Disposition: attachment; name=b")}--x--`,
      '{"a":["1"]}',
    ],
    ["a part without a header of its own", `${named}${part("X: y")}--x--`, '{"a":["1"]}'],
    ["two names", `${part("Content-Disposition: form-data; name=a; name=b")}--x--`, "{}"],
    ["another name", `${part("Content-Disposition: form-data; name=a; name*=utf-8''b")}--x--`, '{"b":["1"]}'],
    [
      "a header twice",
      `${part("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b")}--x--`,
      '{"a":["1"]}',
    ],
    ["an escape in a name", `${part('Content-Disposition: form-data; name="\\a"')}--x--`, '{"\\\\a":["1"]}'],
    [
      "encoded content",
      `${part("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: quoted-printable", "=31")}--x--`,
      '{"a":["1"]}',
    ],
    [
      "content in base64",
      `${part("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64")}--x--`,
      '{"a":["1"]}',
    ],
    [
      "another charset",
      `${part("Content-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=ibm037")}--x--`,
      '{"a":["1"]}',
    ],
    [
      "a charset that cannot be read",
      `${part("Content-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset")}--x--`,
      '{"a":["1"]}',
    ],
    [
      "boundary behind LF alone",
      `${part("Content-Disposition: form-data; name=a", "1\n--x\nContent-Disposition: form-data; name=b\n\n2")}--x--`,
      '{"a":["1\\n--x\\nContent-Disposition: form-data; name=b\\n\\n2"]}',
    ],
    [
      "boundary behind CR alone",
      `${part("Content-Disposition: form-data; name=a", "1\r--x\r2")}--x--`,
      '{"a":["1\\r--x\\r2"]}',
    ],
    [
      "boundary that goes on with something",
      `${part("Content-Disposition: form-data; name=a", "1\r\n--xy")}--x--`,
      '{"a":["1\\r\\n--xy"]}',
    ],
    [
      "header that ends in LF alone",
      `${part("Content-Disposition: form-data; name=a\nX: y")}--x--`,
      '{"a":["1"]}',
    ],
    [
      "header that ends before its last line does, for those who take LF",
      `${part("Content-Disposition: form-data; name=a\n\nX: y")}--x--`,
      '{"a":["X: y\\r\\n\\r\\n1"]}',
    ],
    ["header that is continued", `${part("Content-Disposition: form-data;\r\n name=a")}--x--`, '{"a":["1"]}'],
    [
      "name of a header with white space behind it",
      `${part("Content-Disposition: form-data; name=a\r\nContent-Disposition : form-data; name=b")}--x--`,
      '{"a":["1"]}',
    ],
    [
      "escaped quote before what is a name for some",
      `${part('Content-Disposition: form-data; name=a; filename="x\\"; name=b; y=\\""')}--x--`,
      '{"a":["1"]}',
    ],
    ["a header that is cut off", `${named}--x\r\nContent-Disposition: form-data; name=b\r\n`, '{"a":["1"]}'],
  ])("has no %s", (_, body, expected) => {
    expect(read(body, true)).toBe("bad_multipart");
    expect(read(body, false)).toBe(expected);
  });
});
