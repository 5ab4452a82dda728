import { bearer, type JwtCase } from "./jwt-case.js";
import { base64url, issuerA, type JwtKit } from "./jwt-kit.js";

/** Members that follow `{"alg":"RS256",` in a header. */
const headerMembers: Readonly<Record<string, string>> = {
  "kid null": '"kid":null',
  "kid number": '"kid":7',
  "kid list": '"kid":["rsa"]',
  "kid object": '"kid":{"a":1}',
  "kid true": '"kid":true',
  "kid twice, good last": '"kid":"other","kid":"rsa"',
  "kid twice, good first": '"kid":"rsa","kid":"other"',
  "alg twice, none last": '"alg":"none","kid":"rsa"',
  "alg twice, RS256 last": '"alg":"none","alg":"RS256","kid":"rsa"',
  "alg twice, number last": '"alg":7',
  "comma at the end": '"kid":"rsa",',
  "unknown member twice": '"kid":"rsa","x":1,"x":2',
  "nested members": '"kid":"rsa","x":{"alg":"none","y":[1,{"kid":"z"}]}',
  "typ at+jwt": '"kid":"rsa","typ":"at+jwt"',
  "typ number": '"kid":"rsa","typ":7',
  "typ null": '"kid":"rsa","typ":null',
  "cty JWT": '"kid":"rsa","cty":"JWT"',
  "zip DEF": '"kid":"rsa","zip":"DEF"',
  "huge number": '"kid":"rsa","x":1e400',
  "number of 400 digits": `"kid":"rsa","x":${"9".repeat(400)}`,
  NaN: '"kid":"rsa","x":NaN',
  "kid escaped": '"kid":"\\u0072sa"',
  "kid with NUL escape": '"kid":"rsa\\u0000"',
  "kid lone surrogate": '"kid":"rsa\\ud800"',
  "member name escaped": '"\\u006bid":"other"',
};

/** Whole headers, as bytes of characters. */
const headers: Readonly<Record<string, string>> = {
  empty: "",
  "empty object": "{}",
  null: "null",
  "empty list": "[]",
  list: '[{"alg":"RS256"}]',
  text: '"RS256"',
  number: "7",
  "no JSON": "RS256",
  "single quotes": "{'alg':'RS256'}",
  "names without quotes": '{alg:"RS256"}',
  "comment before": '/* a */{"alg":"RS256","kid":"rsa"}',
  "comment inside": '{"alg":"RS256",/* a */"kid":"rsa"}',
  "line comment": '{"alg":"RS256","kid":"rsa"} // a',
  "spaces around": ' \r\n\t{ "alg" : "RS256" , "kid" : "rsa" }\n ',
  "vertical tab": '{"alg":"RS256",\x0b"kid":"rsa"}',
  "text behind": '{"alg":"RS256","kid":"rsa"}x',
  "object behind": '{"alg":"RS256","kid":"rsa"}{}',
  "NUL behind": '{"alg":"RS256","kid":"rsa"}\0',
  "byte order mark": '\xef\xbb\xbf{"alg":"RS256","kid":"rsa"}',
  "UTF-16": Buffer.from('{"alg":"RS256","kid":"rsa"}', "utf16le").toString("latin1"),
  "unclosed object": '{"alg":"RS256","kid":"rsa"',
  "invalid UTF-8": '{"alg":"RS256","kid":"rsa","x":"\xff"}',
  "invalid UTF-8 in a name": '{"alg":"RS256","kid":"rsa","\xc3":1}',
  "overlong UTF-8": '{"alg":"RS256","kid":"rsa","x":"\xc0\xaf"}',
  "encoded surrogate": '{"alg":"RS256","kid":"rsa","x":"\xed\xa0\x80"}',
  "raw control character": '{"alg":"RS256","kid":"rsa","x":"\x01"}',
  "raw newline in a text": '{"alg":"RS256","kid":"rsa","x":"\n"}',
  "unknown escape": '{"alg":"RS256","kid":"rsa","x":"\\q"}',
  "alg null": '{"alg":null,"kid":"rsa"}',
  "alg number": '{"alg":256,"kid":"rsa"}',
  "alg list": '{"alg":["RS256"],"kid":"rsa"}',
  "alg true": '{"alg":true,"kid":"rsa"}',
  "alg empty": '{"alg":"","kid":"rsa"}',
  "alg none": '{"alg":"none","kid":"rsa"}',
  "alg None": '{"alg":"None","kid":"rsa"}',
  "alg RS257": '{"alg":"RS257","kid":"rsa"}',
  "alg rs256": '{"alg":"rs256","kid":"rsa"}',
  "alg with a space": '{"alg":"RS256 ","kid":"rsa"}',
  "alg with NUL": '{"alg":"RS256\\u0000","kid":"rsa"}',
  "alg ES256K": '{"alg":"ES256K","kid":"rsa"}',
  "alg RSA-OAEP": '{"alg":"RSA-OAEP","enc":"A256GCM","kid":"rsa"}',
  "Alg RS256": '{"Alg":"RS256","kid":"rsa"}',
};

/** Members that follow `{"iss":…,"sub":"alice",` in a payload. */
const payloadMembers: Readonly<Record<string, string>> = {
  ...fields("exp", [
    ...["true", "null", '"4102444800"', '""', "[]", "{}", "0", "-1", "-0", "1", "1.5", "4102444800.5"],
    ...["4102444800.0", "4.1e9", "1e400", "-1e400", "1e20", "1e18", "1e19", "18446744073709551615"],
    ...["18446744073709551616", "9223372036854775807", "9223372036854775808", "NaN", "Infinity"],
    ...["04102444800", "+4102444800", "4102444800.", "0x7fffffff", ".5", "-4102444800", "0.5"],
    ...["-1.5", "-9223372036854775809", "253402300800"],
  ]),
  ...fields("nbf", [
    ...["true", "null", '"1"', "0", "-1", "-1.5", "1.5", "1e400", "1e20", "18446744073709551616", "1e19"],
    ...["18446744073709551615", "9223372036854775808", "18446744073709551556", "9223372036854775807", "[]"],
  ]),
  ...fields("iat", ["true", "null", '"1"', "-1", "-1.5", "1.5", "1e400", "1e20", "4102444800", "[]", "1e19"]),
  ...fields("jti", ["7", "null", "true", "[]", '""', '"x"']),
  ...fields("aud", [
    ...["null", "[]", "{}", "7", "true", '""', '"x"', '["x"]', '["x",7]', '["x",null]', '[["x"]]', "[7]"],
  ]),
  ...fields("sub", ["null", "7", "[]", "{}", '""', "true", '"bob"', '"a\\u0000b"']),
  ...fields("iss", ["null", "7", "[]", "{}", '""', "true", '"https://issuer-b.test"']),
  ...fields("name", [
    ...['"\\ud83d\\ude00"', '"\\ud800"', '"\\ud800\\u0041"', '"\\udc00"', '"a\\u0000b"', '"a\\u007fb"'],
    ...['"\\u00e9"', '"a\\r\\nx-evil: 1"', '"a\\tb"', '" a "', '"\\/"', '"\\q"', '"\\u00zz"', '"a\\u0001b"'],
    ...["1", "-1", "1.5", "0.1", "1e21", "1e20", "1e-7", "9007199254740993", "18446744073709551615", "-0"],
    ...["18446744073709551616", "9223372036854775807", "-9223372036854775808", "-9223372036854775809"],
    ...["1.0", "100000", "1000000", "1234567", "12345678.9", "123456.789", "0.0001", "0.00001", "1e6"],
    ...["true", "false", "null", "[]", '["a","b"]', "[1,2.5]", "{}", '{"b":[true,null]}', '""'],
    ...[
      "1e15",
      "123456789012345",
      "12345678901234567",
      "123456789012345678",
      "0.00001",
      "5e-324",
      "-1.5e-9",
    ].map((number) => `[${number}]`),
    ...['["\\u0000-\\u001f-\\u0080-\\u00ad-&-\'-\\u0600-\\u06dd-\\u070f-\\u17b4"]'],
    ...['["\\u200b-\\u202e-\\u2060-\\u2065-\\u206a-\\ufeff-\\ufff9-\\ud834\\udd73-\\udb40\\udc7f"]'],
    ...['["\\u00e9"]', '{"a":{"b":{}}}', '{"a":1,"a":2}', '["a/b"]', '["<\\u007f>"]', "[1e400]", "[-0]"],
    ...["[1e21]", "[9007199254740993]", "[18446744073709551615]", "[0.1]", '["\\u0001\\b\\"\\\\"]'],
    ...["[100000000000000000000]", '["\\u2028"]', "[1.0]", "[-1]", "[1e-7]", "[null,false]"],
  ]),
  "comma at the end": '"x":1,',
  "unknown member twice": '"x":1,"x":2',
  "nested member twice": '"x":{"a":1,"a":2}',
  "sub again as Sub": '"Sub":"root"',
  "depth 30": `"x":${"[".repeat(30)}${"]".repeat(30)}`,
  "depth 50": `"x":${"[".repeat(50)}${"]".repeat(50)}`,
  "depth 99": `"x":${"[".repeat(99)}${"]".repeat(99)}`,
  "depth 101": `"x":${"[".repeat(101)}${"]".repeat(101)}`,
  "depth 200": `"x":${"[".repeat(200)}${"]".repeat(200)}`,
  "depth 98 of objects": `"x":${'{"a":'.repeat(98)}1${"}".repeat(98)}`,
  "depth 99 of objects": `"x":${'{"a":'.repeat(99)}1${"}".repeat(99)}`,
  "depth 100 of objects": `"x":${'{"a":'.repeat(100)}1${"}".repeat(100)}`,
  "depth 200 of objects": `"x":${'{"a":'.repeat(200)}1${"}".repeat(200)}`,
  "depth 5000": `"x":${"[".repeat(5000)}${"]".repeat(5000)}`,
  "names of Object.prototype": '"__proto__":{"sub":"root"},"constructor":1,"toString":"x"',
  "name is empty": '"":1',
};

/** Whole payloads, as bytes of characters. */
const payloads: Readonly<Record<string, string>> = {
  empty: "",
  "empty object": "{}",
  null: "null",
  list: "[]",
  text: '"x"',
  number: "7",
  "no JSON": "x",
  "single quotes": `{'iss':'${issuerA}'}`,
  comment: `{"iss":"${issuerA}"/* a */}`,
  "byte order mark": `\xef\xbb\xbf{"iss":"${issuerA}"}`,
  "text behind": `{"iss":"${issuerA}"}x`,
  "invalid UTF-8": `{"iss":"${issuerA}","name":"\xff"}`,
  "invalid UTF-8 in a name": `{"iss":"${issuerA}","\xc3":1}`,
  "UTF-8": `{"iss":"${issuerA}","name":"\xc3\xa9"}`,
  "UTF-8 in a list": `{"iss":"${issuerA}","name":["\xc3\xa9"]}`,
  "overlong UTF-8": `{"iss":"${issuerA}","name":"\xc0\xaf"}`,
  "encoded surrogate": `{"iss":"${issuerA}","name":"\xed\xa0\x80"}`,
  "raw control character": `{"iss":"${issuerA}","name":"\x01"}`,
  "raw newline": `{"iss":"${issuerA}","name":"a\nb"}`,
  "raw delete": `{"iss":"${issuerA}","name":"a\x7fb"}`,
  "no iss": '{"sub":"alice"}',
  "iss twice, good last": `{"iss":"x","iss":"${issuerA}"}`,
  "iss twice, good first": `{"iss":"${issuerA}","iss":"x"}`,
  "exp twice, old first": `{"iss":"${issuerA}","exp":1,"exp":4102444800}`,
  "exp twice, old last": `{"iss":"${issuerA}","exp":4102444800,"exp":1}`,
};

/** JSON of a form that parsers judge differently. */
export const jsonCases: readonly JwtCase[] = [
  ...each("header member", headerMembers, (kit, text) => kit.token({ header: `{"alg":"RS256",${text}}` })),
  ...each("header", headers, (kit, text) => kit.token({ header: Buffer.from(text, "latin1") })),
  ...each("payload member", payloadMembers, (kit, text) =>
    kit.token({ payload: `{"iss":"${issuerA}","sub":"alice",${text}}` }),
  ),
  ...each("payload", payloads, (kit, text) => kit.token({ payload: Buffer.from(text, "latin1") })),
  ...each(
    "claims that say",
    { "nothing at all": "{}" },
    (_, text) => `${base64url("{}")}.${base64url(text)}.`,
  ),
];

function fields(name: string, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(values.map((value) => [`${name} ${value}`, `"${name}":${value}`]));
}

function each(
  kind: string,
  texts: Readonly<Record<string, string>>,
  token: (kit: JwtKit, text: string) => string,
): readonly JwtCase[] {
  return Object.entries(texts).map(([name, text]) => ({
    id: `${kind}: ${name}`,
    set: "shown",
    ask: (kit) => ({ lines: [bearer(token(kit, text))] }),
  }));
}
