import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { specials } from "../support/body-special-cells.js";
import type { SpecialPolicy } from "../support/body-special-policies.js";
import { noFaults, type SpecialStage, startSpecialStage } from "../support/body-special-stage.js";
import type { Got } from "../support/ext-proc-clients.js";

// Requests and responses that are not like others, through a real Envoy and a whole Gatehouse: what the client gets, what
// Envoy sends, and what is on record of it.

let stage: SpecialStage;
beforeAll(async () => {
  stage = await startSpecialStage();
});
afterAll(() => stage?.stop());

const cells = specials.flatMap(({ name, ask, expect: under }, index) =>
  Object.entries(under).map(([policy, expected]) => {
    const path = `${ask.under ?? ""}/${index}/${policy}`;
    return { name, policy: policy as SpecialPolicy, ask: { ...ask, path }, expected };
  }),
);

function clientSaw({ end, status, body }: Got): string {
  return end === "whole" ? `whole ${status} ${JSON.stringify(body.toString("latin1"))}` : end;
}

const shortNames: Readonly<Record<string, string>> = {
  request_headers: "qh",
  request_body: "qb",
  request_trailers: "qt",
  response_headers: "sh",
  response_body: "sb",
  response_trailers: "st",
};

async function partsDuring(happen: () => Promise<void>): Promise<string> {
  const before = await stage.parts();
  await happen();
  const after = await stage.parts();
  const more = Object.keys(shortNames).filter((part) => (after[part] ?? 0) > (before[part] ?? 0));
  return more.map((part) => shortNames[part]).join(" ");
}

describe.each(specials.map(({ name }) => name))("%s", (name) => {
  test.each(cells.filter((cell) => cell.name === name))(
    "under $policy",
    async ({ policy, ask, expected }) => {
      const { path } = ask;
      const { client, headers = {}, trailers, parts, body = null, outcome = "allowed" } = expected;
      let got: Got | undefined;
      const came = await partsDuring(async () => {
        got = await stage.send({ ...ask, policy });
        expect(await stage.record(path)).toMatchObject({ outcome, body, unmet: [] });
      });
      if (got === undefined) throw new Error("nothing was sent");
      expect(clientSaw(got)).toBe(client);
      for (const [header, value] of Object.entries(headers))
        expect([header, got.headers[header]]).toEqual([header, value]);
      if (trailers !== undefined) expect(got.trailers).toMatchObject(trailers);
      expect(came).toBe(parts);
      const seen = stage.upstreams.seen.get(path);
      const isRefused = outcome === "denied" && parts.indexOf("s") < 0;
      if (ask.under === undefined) expect(seen?.isComplete).toBe(isRefused ? undefined : true);
      if (seen !== undefined && ask.trailers !== undefined) expect(seen.trailers).toMatchObject(ask.trailers);
    },
  );
});

test("a range is not asked for where a body is looked at, and is where it is not", async () => {
  const reply = { status: 200, size: "slow", headers: { "content-type": "text/plain" } } as const;
  const headers = { range: "bytes=0-6", "if-range": '"v1"' };
  const rangeUnder = async (policy: SpecialPolicy): Promise<unknown> => {
    const path = `/range/${policy}`;
    expect((await stage.send({ path, policy, headers, reply })).status).toBe(200);
    const { range, "if-range": condition } = stage.upstreams.seen.get(path)?.headers ?? {};
    return [range, condition];
  };
  expect(await rangeUnder("none")).toEqual(["bytes=0-6", '"v1"']);
  expect(await rangeUnder("masked")).toEqual([undefined, undefined]);
  expect(await rangeUnder("streamed")).toEqual([undefined, undefined]);
});

// Known: of a response without a body only header rules are asked, and trailers go on as they are.
test.each([
  ["the headers of HEAD", { method: "HEAD" }, { headers: { "repr-digest": "sha-256=:of-all:" } }],
  ["trailers", {}, { trailers: { "repr-digest": "sha-256=:of-all:" } }],
] as const)("the digest of a body that is masked does not stand in %s", async (place, ask, more) => {
  const path = `/digest/${place.length}`;
  const headers = { "content-type": "text/plain" };
  const size = place === "trailers" ? "slow" : "none";
  const reply = {
    status: 200,
    size,
    ...more,
    headers: { ...headers, ...("headers" in more && more.headers) },
  } as const;
  const got = await stage.send({ path, policy: "masked", ...ask, reply });
  expect(got.status).toBe(200);
  expect({ ...got.headers, ...got.trailers }).not.toHaveProperty("repr-digest");
});

test("Envoy had nothing to object to, and no stream is left", async () => {
  for (const entry of ["http", "grpc"] as const)
    await expect.poll(() => stage.faults(entry), { timeout: 5_000 }).toEqual(noFaults);
  await expect.poll(() => stage.total("gatehouse_ext_proc_streams_open"), { timeout: 5_000 }).toBe(0);
  expect(await stage.total("gatehouse_ext_proc_streams_total", 'result="internal_error"')).toBe(0);
});
