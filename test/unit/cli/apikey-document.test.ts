import { describe, expect, it } from "vitest";
import { editApiKeys, readApiKeys } from "../../../src/cli/apikey-document.js";
import { createApiKey } from "../../../src/credentials/index.js";

let next = 1;
const random = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, () => (next = (next * 73 + 41) % 251));
const [one, two] = [createApiKey(random), createApiKey(random)];

const entry = `{id: ${one.id}, hash: "${one.hash}", owner: alice}`;
const file = (annotation: string, keys: string): string =>
  `apiVersion: gatehouse.dev/v1alpha1\nkind: ApiKeys\nmetadata: {name: a, annotations: {x: ${annotation}}}\nspec:\n  keys: ${keys}\n`;

const add = (text: string): string =>
  editApiKeys(text, { wanted: {} }, (document) =>
    document.add({ id: two.id, hash: two.hash, owner: "bob", created: "2026-08-20T12:00:00Z" }),
  );
const revoke = (text: string): string =>
  editApiKeys(text, { wanted: {}, holding: one.id }, (document) =>
    document.revoke(one.id, "2026-08-20T12:00:00Z"),
  );
const states = (text: string): string[] =>
  readApiKeys(text, {}).flatMap(({ keys }) =>
    keys.map(({ owner, revoked }) => `${owner}${revoked ? " revoked" : ""}`),
  );

describe("an edit of API keys", () => {
  it("does what was asked for", () => {
    const text = add(file("y", `\n    - ${entry}`));
    expect(states(text)).toEqual(["alice", "bob"]);
    expect(states(revoke(text))).toEqual(["alice revoked", "bob"]);
    expect(states(revoke(file("y", `\n    - &anchor ${entry}`)))).toEqual(["alice revoked"]);
  });

  it.each([
    ["revoke a key that an alias stands for", () => revoke(file(`&one ${entry}`, "[*one]"))],
    ["revoke a key in a list that an alias stands for", () => revoke(file(`&all [${entry}]`, "*all"))],
    ["add a key to a list that an alias stands for", () => add(file(`&all [${entry}]`, "*all"))],
  ])("does not %s, and says so", (_, edit) => {
    expect(edit).toThrow(expect.objectContaining({ code: "source" }));
    expect(edit).toThrow("nothing was changed");
  });

  it("does not repeat a key that stands where a field's name should", () => {
    const text = file("y", `[{id: ${one.id}, hash: "${one.hash}", owner: o, ${one.text}: 1}]`);
    for (const edit of [add, revoke, (given: string) => readApiKeys(given, {})]) {
      expect(() => edit(text)).toThrow("is not valid at spec.keys.0");
      expect(() => edit(text)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining(one.text) }),
      );
    }
  });
});
