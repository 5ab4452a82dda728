import { describe, expect, it } from "vitest";
import { envoyOtelAls } from "../../../src/logs/access-settings.js";
import { sinkOfProvider } from "../../../src/logs/index.js";

describe("the headers of a receiver", () => {
  it("are those of the variables that are set, without the line break of the file they come from", () => {
    const initialMetadata = [
      { name: "Authorization", envName: "TOKEN" },
      { name: "x-none", envName: "NONE" },
      { name: "x-as-is", value: "a " },
    ];
    const settings = envoyOtelAls.parse({
      service: "collector.example",
      port: 4317,
      grpc: { initialMetadata },
    });
    const sink = sinkOfProvider({ name: "otel", envoyOtelAls: settings }, (name) =>
      name === "TOKEN" ? "Bearer abc\r\n" : undefined,
    );
    expect(sink).toMatchObject({
      headers: [
        ["authorization", "Bearer abc"],
        ["x-as-is", "a "],
      ],
    });
  });
});
