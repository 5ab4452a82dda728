import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

interface Package {
  readonly version: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8")) as {
  readonly packages: Readonly<Record<string, Package>>;
};

describe("the lockfile", () => {
  it("has a @grpc/grpc-js that no malformed request ends (1.14.4 and newer)", () => {
    const [major = 0, minor = 0, patch = 0] =
      lock.packages["node_modules/@grpc/grpc-js"]?.version.split(".").map(Number) ?? [];
    expect(major * 1e6 + minor * 1e3 + patch).toBeGreaterThanOrEqual(1_014_004);
  });

  // `npm install` leaves out what the registry in use does not have, and `npm ci` then refuses the lockfile
  // elsewhere.
  it("names Biome's binaries for every platform", () => {
    const wanted = Object.keys(lock.packages["node_modules/@biomejs/biome"]?.optionalDependencies ?? {});
    expect(wanted.length).toBeGreaterThan(5);
    expect(wanted.filter((name) => lock.packages[`node_modules/${name}`] === undefined)).toEqual([]);
  });

  it("names no registry", () => {
    expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  });
});
