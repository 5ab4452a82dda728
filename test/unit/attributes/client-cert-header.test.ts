import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identityFromClientCert, identityFromXfcc, readIdentity } from "../../../src/attributes/index.js";
import { makeAuthority } from "../../support/certificates.js";
import { fastestMs } from "../../support/cost.js";

const authority = makeAuthority();
const web = "spiffe://cluster.local/ns/shop/sa/web";
const { cert } = authority.issue({ commonName: "web", uris: [web], dns: ["w.example"] });
const pem = encodeURIComponent(cert);
const der = new X509Certificate(cert).raw;

const names = (value: string): readonly string[] => identityFromXfcc(value, readIdentity).names;

describe("x-forwarded-client-cert", () => {
  it("names all URIs, then all DNS names, then the subject", () => {
    const value = `By=spiffe://td/p;Hash=ab;Subject="CN=web,O=A;b=c";DNS=a;URI=${web};DNS=b;URI=urn:x`;
    expect(names(value)).toEqual([web, "urn:x", "a", "b", "CN=web,O=A;b=c"]);
  });

  it("counts with its last element only", () => {
    expect(names(`URI=spiffe://td/boss;Subject="CN=a,b",By=x;Hash=c;URI=${web}`)).toEqual([web, ""]);
    expect(names(`URI=${web}, URI=spiffe://td/last ,  Hash=a`)).toEqual([""]);
  });

  it("believes a certificate more than what stands beside it", () => {
    const value = `Hash=ab;Cert="${pem}";Subject="CN=boss";URI=spiffe://td/boss;DNS=boss`;
    expect(names(value)).toEqual([web, "w.example", "CN=web"]);
  });

  it("keeps a subject as Envoy writes it, in the certificate's own escapes", () => {
    expect(names('Subject="CN=a\\"b\\\\,O=A\\, B"')).toEqual(['CN=a\\"b\\\\,O=A\\, B']);
    expect(names('URI="spiffe://td/a\\"b\\\\c"')).toEqual(['spiffe://td/a"b\\c', ""]);
  });

  it("may have keys in any case, keys that nobody knows, and values without anything", () => {
    expect(names(`hash=a;uri=${web};x-new="a,b";DNS=;Subject=""`)).toEqual([web, ""]);
    expect(names("URI=https://x.example/?a=b==")).toEqual(["https://x.example/?a=b==", ""]);
  });

  it.each([
    ["nothing", ""],
    ["spaces", "  "],
    ["no key", "=a"],
    ["a bare word", "spiffe://td/a"],
    ["an element without anything before the last", `,URI=${web}`],
    ["an empty last element", `URI=${web},`],
    ["an empty pair", `URI=${web};`],
    ["two separators", `URI=${web};;Hash=a`],
    ["a key with a space", `U RI=${web}`],
    ["a key with a quote", `"URI"=${web}`],
    ["a quote that is not closed", `URI="${web}`],
    ["a quote that is not closed before the last element", `Subject="CN=a,URI=${web}`],
    ["a backslash at the end of a quote", `Subject="CN=a\\"`],
    ["text behind a quote", `Subject="CN=a"b;URI=${web}`],
    ["a quote inside a value", `URI=${web}"`],
    ["a NUL byte", `URI=${web}\0`],
    ["a line break", `URI=${web}\r\n`],
    ["two subjects", `Subject="CN=a";Subject="CN=b"`],
    ["two certificates", `Cert="${pem}";cert="${pem}"`],
    ["an empty certificate", `Cert="";URI=${web}`],
    ["a certificate that is none", `Cert="abc";URI=${web}`],
    ["a certificate with a broken escape", `Cert="%zz";URI=${web}`],
  ])("with %s is refused", (_, value) => {
    expect(() => names(value)).toThrow();
  });

  it("is refused when its certificate's name holds a NUL byte", () => {
    const odd = authority.issue({ uris: [`${web}\0.evil`] }).cert;
    expect(() => names(`Cert="${encodeURIComponent(odd)}"`)).toThrow("NUL");
    const der = new X509Certificate(odd).raw.toString("base64");
    expect(() => identityFromClientCert(`:${der}:`)).toThrow("NUL");
  });

  it.each([
    ["spaces inside a value", `URI=a${" ".repeat(59_000)}b`],
    ["tabs behind a value", `URI=a${"\t".repeat(59_000)}`],
    ["spaces before a key", `URI=a,${" ".repeat(59_000)}`],
    ["backslashes in quotes", `URI="${"\\".repeat(59_000)}"`],
    ["separators", `URI=a${",URI=".repeat(12_000)}b"`],
    ["one key", "k".repeat(59_000)],
  ])("is read in a time that grows with its length only: %s", (_, value) => {
    const read = (): unknown => {
      try {
        return names(value);
      } catch (error) {
        return error;
      }
    };
    expect(fastestMs(read)).toBeLessThan(200);
  });

  it("leaves spaces inside a value where they are, and drops those behind it", () => {
    expect(names("URI=a  b \t;DNS=c  , URI=d\t ")).toEqual(["d", ""]);
    expect(names("URI=a  b \t;DNS=c  ")).toEqual(["a  b", "c", ""]);
  });

  // Whatever a client sends stands before what the proxy appends.
  const appended = `By=spiffe://td/proxy;Hash=${"ab".repeat(32)};Subject="";URI=${web}`;
  const appendedWithSubject = `By=spiffe://td/proxy;Hash=ab;Subject="CN=web,O=Acme\\, Inc.";URI=${web};DNS=w`;
  const hostile = fc.oneof(
    fc.string(),
    fc
      .array(
        fc.constantFrom(
          ...[
            '"',
            "\\",
            ",",
            ";",
            "=",
            " ",
            "\0",
            "URI=",
            "Subject=",
            "Cert=",
            "spiffe://td/boss",
            '="',
            '",',
          ],
        ),
      )
      .map((parts) => parts.join("")),
    fc
      .array(fc.constantFrom("URI=spiffe://td/boss", 'Hash=a;Subject="x,y";DNS=b', `Cert="${pem}"`, 'By="'), {
        minLength: 1,
      })
      .map((elements) => elements.join(",")),
  );

  it.each([appended, appendedWithSubject])("never lets a forged part change the last element: %s", (tail) => {
    fc.assert(
      fc.property(hostile, (forged) => {
        let seen: readonly string[];
        try {
          seen = names(`${forged},${tail}`);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          return;
        }
        expect(seen).toEqual(names(tail));
      }),
      { numRuns: 3000 },
    );
  });

  it("gives texts or an error for whatever it gets", () => {
    fc.assert(
      fc.property(hostile, (value) => {
        try {
          const plain = value.replaceAll("\\", "");
          const seen = identityFromXfcc(value, () => ({ names: [] })).names;
          for (const name of seen) expect(plain).toContain(name.replaceAll("\\", ""));
        } catch (error) {
          if (!(error instanceof Error) || error.constructor.name === "AssertionError") throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("client-cert", () => {
  it("holds one DER certificate as a byte sequence", () => {
    expect(identityFromClientCert(`:${der.toString("base64")}:`)).toEqual(readIdentity(pem));
    expect(identityFromClientCert(`  :${der.toString("base64")}: `)).toEqual(readIdentity(pem));
  });

  const base64 = der.toString("base64");
  it.each([
    ["nothing", ""],
    ["no bytes", "::"],
    ["base64 alone", base64],
    ["an open end", `:${base64}`],
    ["two", `:${base64}:, :${base64}:`],
    ["a parameter", `:${base64}:;a=1`],
    ["the other base64 alphabet", `:${base64.replace(/[+/]/g, "_")}_:`],
    ["a space inside", `:${base64.slice(0, 8)} ${base64.slice(8)}:`],
    ["PEM inside", `:${Buffer.from(cert).toString("base64")}:`],
    ["bytes behind the certificate", `:${Buffer.concat([der, Buffer.from([0, 0, 0])]).toString("base64")}:`],
    ["half a certificate", `:${der.subarray(0, 300).toString("base64")}:`],
    ["something else", `:${Buffer.from("hello").toString("base64")}:`],
  ])("with %s is refused", (_, value) => {
    expect(() => identityFromClientCert(value)).toThrow();
  });

  it("gives an error or nothing else for any bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `:${text}:`),
        ),
        (value) => {
          expect(() => identityFromClientCert(value)).toThrow();
        },
      ),
    );
  });
});
