import type { MetadataMatcher, ValueMatcher } from "../../src/matchers/index.js";
import type { Scene } from "./cases-differential.js";
import { admit, named, permit, regex } from "./cases-rules.js";
import { rawRequest } from "./raw-http.js";

const metadataKeys: readonly (readonly string[])[] = [
  ...["s", "e", "u", "i", "n", "neg", "big", "t", "f", "z", "l", "el", "ll", "o", "eo", "absent"].map(
    (key) => [key],
  ),
  ["o", "s"],
  ["o", "absent"],
  ["o", "o", "s"],
  ["s", "s"],
  ["l", "0"],
  ["l", "length"],
  ["o", "o"],
  ["__proto__"],
  ["__proto__", "s"],
  ["constructor"],
  ["constructor", "name"],
  ["hasOwnProperty"],
  ["toString"],
  ["a.b"],
  ["o.s"],
];

const values: readonly ValueMatcher[] = [
  { nullMatch: {} },
  { doubleMatch: { exact: 5 } },
  { doubleMatch: { exact: 1.5 } },
  { doubleMatch: { exact: 0 } },
  { doubleMatch: { range: { start: -3, end: 5 } } },
  { doubleMatch: { range: { start: 5, end: 6 } } },
  { stringMatch: { exact: "abc" } },
  { stringMatch: { exact: "" } },
  { stringMatch: { exact: "ABC", ignoreCase: true } },
  { stringMatch: { prefix: "a" } },
  { stringMatch: { contains: "é" } },
  { stringMatch: regex(".+") },
  { stringMatch: regex(".*") },
  { stringMatch: regex(".") },
  { boolMatch: true },
  { boolMatch: false },
  { presentMatch: true },
  { presentMatch: false },
  { listMatch: { oneOf: { stringMatch: { exact: "abc" } } } },
  { listMatch: { oneOf: { nullMatch: {} } } },
  { listMatch: { oneOf: { doubleMatch: { exact: 5 } } } },
  { listMatch: { oneOf: { presentMatch: true } } },
  { listMatch: { oneOf: { presentMatch: false } } },
  { listMatch: { oneOf: { listMatch: { oneOf: { stringMatch: { exact: "abc" } } } } } },
  { orMatch: { valueMatchers: [{ stringMatch: { exact: "abc" } }, { boolMatch: true }] } },
  { orMatch: { valueMatchers: [{ presentMatch: false }, { nullMatch: {} }] } },
  {
    listMatch: {
      oneOf: { orMatch: { valueMatchers: [{ nullMatch: {} }, { stringMatch: { prefix: "x" } }] } },
    },
  },
];

const metadataValue = {
  s: "abc",
  e: "",
  u: "é",
  i: 5,
  n: 1.5,
  neg: -3,
  big: 1e300,
  t: true,
  f: false,
  z: null,
  l: ["abc", 5, null, true, { s: "abc" }],
  el: [],
  ll: [["abc"], []],
  o: { s: "abc", o: { s: "abc" } },
  eo: {},
  ["__proto__"]: { s: "abc" },
  constructor: "abc",
  hasOwnProperty: { s: "abc" },
  "a.b": "abc",
};

function metadataMatchers(filter: string, keys: readonly (readonly string[])[]): readonly MetadataMatcher[] {
  return keys.flatMap((path) =>
    values.flatMap((value): MetadataMatcher[] => {
      const matcher = { filter, path: path.map((key) => ({ key })), value };
      return [matcher, { ...matcher, invert: true }];
    }),
  );
}

const few = metadataKeys.slice(0, 1);

/** Dynamic metadata of a filter in front, and metadata of the route. */
export const metadataScene: Scene = {
  name: "metadata",
  rules: {
    ...named(
      [
        ...metadataMatchers("test.ns", metadataKeys),
        ...metadataMatchers("absent.ns", [["s"]]),
        ...metadataMatchers("__proto__", few),
        ...metadataMatchers("constructor", few),
      ],
      (metadata) => permit({ metadata }),
    ),
    ...Object.fromEntries(
      [
        ...metadataMatchers("test.ns", few),
        ...metadataMatchers("route.ns", [["s"], ["z"], ["o", "s"], ["absent"]]),
      ].flatMap((metadataMatcher) => {
        const text = JSON.stringify(metadataMatcher);
        return [
          [`route ${text}`, permit({ sourcedMetadata: { metadataMatcher, metadataSource: "ROUTE" } })],
          [`dynamic ${text}`, permit({ sourcedMetadata: { metadataMatcher, metadataSource: "DYNAMIC" } })],
          [`default ${text}`, admit({ sourcedMetadata: { metadataMatcher } })],
        ];
      }),
    ),
  },
  requests: { any: { bytes: rawRequest("/") } },
  before: [
    {
      name: "envoy.filters.http.set_metadata",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config",
        metadata: ["test.ns", "__proto__", "constructor"].map((metadata_namespace) => ({
          metadata_namespace,
          value: metadataValue,
        })),
      },
    },
  ],
  metadataNamespaces: ["test.ns", "absent.ns", "__proto__", "constructor"],
  routeMetadata: { "route.ns": metadataValue },
};
