import { Buffer } from "node:buffer";
import { readIdentity } from "../../src/attributes/index.js";
import type { CidrRange, StringMatcher } from "../../src/matchers/index.js";
import {
  type Attribute,
  commonName,
  oddCertificate,
  type Subject,
  stringTypes,
} from "./cases-certificates.js";
import type { Request, Rules, Scene } from "./cases-differential.js";
import { admit, permit } from "./cases-rules.js";
import type { KeyPair } from "./certificates.js";
import { rawRequest, utf8 } from "./raw-http.js";

const ranges: readonly CidrRange[] = [
  ["1.2.3.4", 32],
  ["5.6.7.8", 32],
  ["9.9.9.9", 32],
  ["1.2.0.0", 16],
  ["1.2.3.4", 0],
  ["127.0.0.1", 32],
  ["127.0.0.9", 32],
  ["127.0.0.255", 29],
  ["127.0.0.0", 8],
  ["0.0.0.0", 0],
  ["::", 0],
  ["::1", 128],
  ["::ffff:1.2.3.4", 128],
  ["::ffff:0:0", 96],
  ["2001:db8::", 32],
  ["2001:db8::1", 127],
].map(([addressPrefix, prefixLen]) => ({
  addressPrefix: String(addressPrefix),
  prefixLen: Number(prefixLen),
}));

const addressRules: Rules = Object.fromEntries(
  ranges.flatMap((range) => {
    const text = `${range.addressPrefix}/${range.prefixLen}`;
    return [
      [`remote_ip ${text}`, admit({ remoteIp: range })],
      [`direct_remote_ip ${text}`, admit({ directRemoteIp: range })],
      [`source_ip ${text}`, admit({ sourceIp: range })],
      [`destination_ip ${text}`, permit({ destinationIp: range })],
    ];
  }),
);

/** Lines of `x-forwarded-for`. */
const forwarded: readonly (readonly string[])[] = [
  [],
  [""],
  [","],
  [" , "],
  ["1.2.3.4"],
  ["1.2.3.4, 5.6.7.8"],
  ["1.2.3.4,5.6.7.8,9.9.9.9"],
  ["9.9.9.9 ,\t5.6.7.8 , 1.2.3.4"],
  ["1.2.3.4", "5.6.7.8"],
  ["1.2.3.4", "5.6.7.8", "9.9.9.9"],
  ["1.2.3.4,"],
  ["1.2.3.4,,"],
  [",1.2.3.4"],
  ["1.2.3.4,,5.6.7.8"],
  ["1.2.3.4:80"],
  ["1.2.3.4:80, 5.6.7.8:90"],
  ["[2001:db8::1]"],
  ["[2001:db8::1]:80"],
  ["2001:db8::1"],
  ["2001:DB8:0:0::1"],
  ["::1"],
  ["::ffff:1.2.3.4"],
  ["::ffff:102:304"],
  ["::1.2.3.4"],
  ["fe80::1%lo"],
  ["2001:db8::1%1"],
  ["2001:db8::1%"],
  ["1.2.3.4%1"],
  ["2001:db8::1%lo, 1.2.3.4"],
  ["2001:db8::1% 1"],
  ["01.2.3.4"],
  ["1.2.3"],
  ["16909060"],
  ["0x1.2.3.4"],
  ["1.2.3.4.5"],
  ["999.2.3.4"],
  ["1.2.3.4 5.6.7.8"],
  ["1.2.3.4;5.6.7.8"],
  ["unknown"],
  ["unknown, 1.2.3.4"],
  ["1.2.3.4, unknown"],
  ['"1.2.3.4"'],
  ["127.0.0.1"],
  ["127.0.0.1, 1.2.3.4"],
  ["1.2.3.4, 127.0.0.1"],
  ["10.0.0.1"],
  ["é"],
];

const forwardedSettings = [false, true].flatMap((useRemoteAddress) =>
  [0, 1, 2].map((numTrustedHops) => ({ useRemoteAddress, numTrustedHops })),
);

/** What a rule on addresses sees of X-Forwarded-For, for each setting of the listener. */
export const addressScenes: readonly Scene[] = forwardedSettings.map((xff) => ({
  name: `addresses-${xff.useRemoteAddress ? "edge" : "inner"}-${xff.numTrustedHops}`,
  rules: addressRules,
  requests: Object.fromEntries(
    forwarded.flatMap((lines): [string, Request][] => {
      const bytes = rawRequest(
        "/",
        lines.map((line) => `x-forwarded-for: ${utf8(line)}`),
      );
      const title = JSON.stringify(lines);
      return [
        [title, { bytes }],
        [`${title} from 127.0.0.9`, { bytes, localAddress: "127.0.0.9" }],
      ];
    }),
  ),
  manager: { use_remote_address: xff.useRemoteAddress, xff_num_trusted_hops: xff.numTrustedHops },
  mesh: { xff },
}));

/** Ports around the listener's own. */
export function portScene(port: number): Scene {
  const edges = [
    [port, port + 1],
    [port - 1, port],
    [port + 1, port + 2],
    [0, port],
    [0, port + 1],
    [port, 65536],
    [0, 65536],
    [1, 65535],
  ] as const;
  return {
    name: "ports",
    rules: {
      ...Object.fromEntries(
        edges.map(([start, end]) => [
          `range ${start}-${end}`,
          permit({ destinationPortRange: { start, end } }),
        ]),
      ),
      ...Object.fromEntries(
        [0, 1, 80, port - 1, port, port + 1, 65535].map((destinationPort) => [
          `port ${destinationPort}`,
          permit({ destinationPort }),
        ]),
      ),
    },
    requests: {
      "Host names another port": { bytes: rawRequest("/", ["Host: localhost:80"]) },
      "Host names the next port": { bytes: rawRequest("/", [`Host: localhost:${port + 1}`]) },
    },
  };
}

const attribute = (oid: string, bytes: string, type = stringTypes.utf8): Attribute => ({ oid, type, bytes });
const bmp = (text: string): string => Buffer.from(text, "utf16le").swap16().toString("latin1");

const subjects: Readonly<Record<string, Subject>> = {
  none: [],
  "common name": commonName("web"),
  "spiffe in the common name": commonName("spiffe://cluster.local/ns/a/sa/b"),
  ...Object.fromEntries(
    [
      "a,b",
      "a+b",
      '"q"',
      " lead",
      "trail ",
      " ",
      "  ",
      "#x",
      "a#",
      "a\\b",
      "a;b",
      "<a>",
      "a=b",
      "a/b",
      "a\nb",
      "a\tb",
      "a\x7fb",
      "a\x00b",
    ].map((text) => [JSON.stringify(text), commonName(text)]),
  ),
  empty: commonName(""),
  "UTF-8": commonName(utf8("é")),
  "UTF-8 beyond the BMP": commonName(utf8("😀日")),
  ...Object.fromEntries(
    (["numeric", "printable", "teletex", "ia5"] as const).map((type) => [
      `${type} string`,
      commonName("12 3", stringTypes[type]),
    ]),
  ),
  "teletex beyond ASCII": commonName("\xe9", stringTypes.teletex),
  "BMP string": commonName(bmp("é日x"), stringTypes.bmp),
  "BMP string with a surrogate": commonName(bmp("😀"), stringTypes.bmp),
  "universal string": commonName("\x00\x00\x00\xe9\x00\x01\xf6\x00", stringTypes.universal),
  "several names": [
    [attribute("2.5.4.6", "DE", stringTypes.printable)],
    [attribute("2.5.4.8", "State")],
    [attribute("2.5.4.7", "City")],
    [attribute("2.5.4.9", "Street 1")],
    [attribute("2.5.4.10", "Org, Inc.")],
    [attribute("2.5.4.11", "Unit")],
    [attribute("2.5.4.11", "Sub unit")],
    [attribute("2.5.4.3", "web")],
  ],
  "a name of several values": [
    [attribute("2.5.4.10", "Org"), attribute("2.5.4.11", "Unit"), attribute("2.5.4.3", "web")],
    [attribute("2.5.4.7", "City")],
  ],
  "rare attributes": [
    [attribute("2.5.4.4", "Sur")],
    [attribute("2.5.4.42", "Given")],
    [attribute("2.5.4.43", "GS")],
    [attribute("2.5.4.12", "Dr")],
    [attribute("2.5.4.13", "text")],
    [attribute("2.5.4.5", "123", stringTypes.printable)],
    [attribute("2.5.4.17", "12345")],
    [attribute("2.5.4.41", "name")],
    [attribute("2.5.4.44", "III")],
    [attribute("2.5.4.46", "dnq", stringTypes.printable)],
  ],
  ...Object.fromEntries(
    Array.from({ length: 8 }, (_, part) => [
      `attribute types ${part}`,
      Array.from({ length: 15 }, (_, at) => [attribute(`2.5.4.${part * 15 + at}`, "v")]),
    ]),
  ),
  ...Object.fromEntries(
    Array.from({ length: 5 }, (_, part) => [
      `pilot attribute types ${part}`,
      Array.from({ length: 13 }, (_, at) => [attribute(`0.9.2342.19200300.100.1.${part * 13 + at}`, "v")]),
    ]),
  ),
  "rarer attributes": [
    [attribute("2.5.4.65", "pseudo")],
    [attribute("2.5.4.15", "Private Organization")],
    [attribute("2.5.4.97", "ORG-1")],
    [attribute("2.5.4.45", "x500")],
    [attribute("2.5.4.20", "555")],
    [attribute("2.5.4.16", "postal")],
    [attribute("0.9.2342.19200300.100.1.1", "uid")],
    [attribute("0.9.2342.19200300.100.1.25", "example", stringTypes.ia5)],
    [attribute("0.9.2342.19200300.100.1.3", "mail", stringTypes.ia5)],
    [attribute("1.2.840.113549.1.9.1", "a@b.c", stringTypes.ia5)],
    [attribute("1.2.840.113549.1.9.2", "unstructured")],
    [attribute("1.3.6.1.4.1.311.60.2.1.3", "DE", stringTypes.printable)],
    [attribute("1.2.3.4", "own")],
    [attribute("1.2.3.5", "12", stringTypes.printable)],
    [attribute("2.999.1", "far")],
  ],
};

const uri = 6;
const dns = 2;
const email = 1;
const alternativeNames: Readonly<Record<string, readonly (readonly [number, string])[]>> = {
  "one URI": [[uri, "spiffe://cluster.local/ns/a/sa/b"]],
  "two URIs": [
    [uri, "spiffe://cluster.local/ns/a/sa/b"],
    [uri, "spiffe://other/ns/c/sa/d"],
  ],
  "DNS before URI": [
    [dns, "web.example.com"],
    [dns, "*.example.com"],
    [uri, "https://example.com/x"],
  ],
  "DNS only": [[dns, "WEB.example.com"]],
  "email only": [[email, "a@b.c"]],
  "a comma in a URI": [[uri, "spiffe://a,URI:spiffe://cluster.local/ns/a/sa/b"]],
  "a comma in a DNS name": [[dns, "a, DNS:web.example.com"]],
  "NUL in a URI": [[uri, "spiffe://cluster.local/ns/a/sa/b\0.evil"]],
  "NUL in a DNS name": [[dns, "web.example.com\0.evil"]],
  "bytes in a URI": [[uri, "spiffe://\xe9"]],
  "empty URI": [[uri, ""]],
};

const certificates: Readonly<Record<string, KeyPair>> = {
  ...Object.fromEntries(
    Object.entries(subjects).map(([title, subject]) => [`subject: ${title}`, oddCertificate(subject, [])]),
  ),
  ...Object.fromEntries(
    Object.entries(alternativeNames).map(([title, names]) => [
      `names: ${title}`,
      oddCertificate(commonName("subject"), names),
    ]),
  ),
};

const texts: readonly StringMatcher[] = [
  { exact: "web" },
  { exact: "CN=web" },
  { exact: "" },
  { exact: "spiffe://cluster.local/ns/a/sa/b" },
  { exact: "SPIFFE://cluster.local/ns/a/sa/b", ignoreCase: true },
  { exact: "web.example.com" },
  { exact: "a@b.c" },
  { prefix: "spiffe://" },
  { prefix: "CN=" },
  { suffix: ".evil" },
  { suffix: "/sa/b" },
  { contains: "," },
  { contains: "é" },
  { safeRegex: { regex: ".+" } },
  { safeRegex: { regex: ".*" } },
  { safeRegex: { regex: "spiffe://.*/sa/b" } },
  { safeRegex: { regex: ".*\\\\\\\\.*" } },
];

const identityRules: Rules = {
  "authenticated at all": admit({ authenticated: {} }),
  "not authenticated at all": admit({ notId: { authenticated: {} } }),
  ...Object.fromEntries(
    texts.map((name) => [JSON.stringify(name), admit({ authenticated: { principalName: name } })]),
  ),
  ...Object.fromEntries(
    [...new Set(Object.values(certificates).flatMap(namesOf))].map((exact) => [
      `name ${exact}`,
      admit({ authenticated: { principalName: { exact } } }),
    ]),
  ),
};

const serverNameRules: Rules = {
  ...Object.fromEntries(
    ["", "web.example.com", "WEB.example.com", "localhost"].map((exact) => [
      `sni ${exact}`,
      permit({ requestedServerName: { exact } }),
    ]),
  ),
  "sni in any case": permit({ requestedServerName: { exact: "WEB.example.com", ignoreCase: true } }),
  "sni suffix": permit({ requestedServerName: { suffix: ".com" } }),
  "sni at all": permit({ requestedServerName: { safeRegex: { regex: ".+" } } }),
};

/** The names that we read; those that are no UTF-8 cannot stand in a rule. */
function namesOf({ cert }: KeyPair): string[] {
  return readIdentity(encodeURIComponent(cert))
    .names.map((name) => Buffer.from(name, "latin1").toString("utf8"))
    .filter((name) => !name.includes("\ufffd") && !name.includes("\0"));
}

const request = rawRequest("/");

/**
 * Who calls: over plain TCP, over TLS without and with a certificate. `server` is the listener's certificate.
 *
 * Rules on the SNI stand only where a tls_inspector does: without one Envoy's RBAC filter sees no SNI at all,
 * while the CheckRequest has the one of the handshake, and does not tell that there was no inspector.
 */
export function identityScenes(server: KeyPair): readonly Scene[] {
  const transportSocket = {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      require_client_certificate: false,
      common_tls_context: {
        tls_certificates: [
          { certificate_chain: { inline_string: server.cert }, private_key: { inline_string: server.key } },
        ],
        validation_context: {
          trusted_ca: { inline_string: server.cert },
          trust_chain_verification: "ACCEPT_UNTRUSTED",
        },
      },
    },
  };
  const overTls: Record<string, Request> = {
    "no certificate, no SNI": { bytes: request, tls: {} },
    "no certificate, SNI": { bytes: request, tls: { serverName: "web.example.com" } },
    "no certificate, SNI in capitals": { bytes: request, tls: { serverName: "WEB.Example.com" } },
    ...Object.fromEntries(
      Object.entries(certificates).map(([title, client]) => [
        title,
        { bytes: request, tls: { client, serverName: "localhost" } },
      ]),
    ),
  };
  return [
    {
      name: "identity-plain",
      rules: { ...identityRules, ...serverNameRules },
      requests: { "no TLS": { bytes: request } },
    },
    { name: "identity-tls", rules: identityRules, requests: overTls, transportSocket },
    {
      name: "identity-tls-inspected",
      rules: { ...identityRules, ...serverNameRules },
      requests: overTls,
      transportSocket,
      listenerFilters: [
        {
          name: "envoy.filters.listener.tls_inspector",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
          },
        },
      ],
    },
  ];
}
