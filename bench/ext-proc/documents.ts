import { stringify } from "yaml";
import { benchWorkload } from "../policies.js";

/** Values that are masked, of which nothing may be left. */
export const secrets = ["4111111111111111", "DE89370400440532013000", "078-05-1120"] as const;

/** A customer with their orders: JSON of exactly so many bytes, three of its values masked. */
export function customerDocument(bytes: number): string {
  const [card, iban, ssn] = secrets;
  const customer = {
    id: 81_723,
    name: "Zoë Müller-Lüdenscheidt",
    card,
    iban,
    address: { street: "Am Alten Markt 7", city: "Köln", zip: "50667", country: "DE" },
    person: { born: "1977-03-14", ssn },
  };
  const orders: object[] = [];
  const text = (note: string): string => JSON.stringify({ customer, orders, note });
  const room = (): number => bytes - Buffer.byteLength(text(""));
  while (room() > 400) {
    const number = orders.length;
    orders.push({
      id: `ord-${10_000 + number}`,
      placed: "2026-08-20T12:00:00Z",
      total: 1299 + number * 17.5,
      paid: number % 3 !== 0,
      lines: [{ sku: `SKU-${number}-A`, title: 'Lampe "Nordlicht", weiß', count: 2, discount: null }],
    });
  }
  return text("x".repeat(room()));
}

/** An array of customers, as the chunks of a body of about so many bytes. */
export function* customers(bytes: number, chunkBytes: number): Generator<Buffer> {
  const one = Buffer.from(customerDocument(10_240));
  let rest = Buffer.from('{"pages":[');
  for (let sent = 0; sent < bytes; sent += one.length) {
    rest = Buffer.concat([rest, ...(sent > 0 ? [Buffer.from(",")] : []), one]);
    for (; rest.length >= chunkBytes; rest = rest.subarray(chunkBytes)) yield rest.subarray(0, chunkBytes);
  }
  rest = Buffer.concat([rest, Buffer.from("]}")]);
  for (; rest.length > 0; rest = rest.subarray(chunkBytes)) yield rest.subarray(0, chunkBytes);
}

const selector = { matchLabels: { app: benchWorkload.labels.app } };
const bodyPolicy = (name: string, spec: object): string =>
  stringify({
    apiVersion: "gatehouse.dev/v1alpha1",
    kind: "BodyPolicy",
    metadata: { name, namespace: benchWorkload.namespace },
    spec: { selector, ...spec },
  });

/** Rules over headers only. */
export const headerRules: string = bodyPolicy("headers", {
  response: {
    headers: [
      { operation: "remove", name: "x-internal-*" },
      { operation: "remove", name: "server-timing" },
      { operation: "set", name: "x-frame-options", value: '"DENY"' },
      { operation: "set", name: "x-served-for", value: "request.host" },
    ],
  },
});

/** For what no request of the benchmark asks. */
export const elsewhere: string = bodyPolicy("elsewhere", {
  match: 'request.url_path.startsWith("/elsewhere")',
  response: { body: { delivery: "streamed", fields: [{ path: "$.card", action: "remove" }] } },
});

/** Masks three fields of each customer. */
export function masking(delivery: "streamed" | "whole"): string {
  const fields = [
    { path: "$..customer.card", action: "mask", keepLast: 4 },
    { path: "$..customer.iban", action: "mask", keepFirst: 2 },
    { path: "$..ssn", action: "mask", replacement: "withheld" },
  ];
  return bodyPolicy("masking", { response: { body: { delivery, fields } } });
}

/** What is found in any string is made unreadable. */
export const detecting: string = bodyPolicy("detecting", {
  response: {
    body: {
      delivery: "streamed",
      detect: ["paymentCard", "iban", "email", "secretToken"].map((detector) => ({
        detector,
        action: "redact",
      })),
    },
  },
});
