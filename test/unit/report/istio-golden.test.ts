import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { renderMetrics } from "../../../src/telemetry/index.js";
import { aRequest } from "../../support/request.js";
import { aCalled, answered, aServed, counting, ofConnection, principalOf } from "./istio-kit.js";

it("Istio's metrics of a day in a mesh are shown exactly so", async () => {
  const { count, store } = counting();
  const grpc = aRequest()
    .method("POST", "/reviews.Reviews/List")
    .header("content-type", "application/grpc")
    .build();
  const messages = { request: 1, response: 7 };
  const customTags = new Map([
    ["source_principal", principalOf("bookinfo-productpage")],
    ["destination_principal", principalOf("bookinfo-reviews")],
  ]);
  const denied = { response: answered(403), flags: "UAEX", source: undefined, tls: undefined };
  count(
    aServed(),
    aServed(denied),
    aCalled({ customTags }),
    aCalled({ response: answered(503), flags: "UF,URX", service: undefined, destination: undefined }),
    aServed({ attributes: grpc, response: answered(200, 0), messages }),
    aServed({ attributes: grpc, response: answered(200, 14), messages: { request: 1, response: 0 } }),
    ofConnection("open", 0, 0),
    ofConnection("continue", 1000, 10),
    ofConnection("close", 24, 5),
  );
  const golden = readFileSync(new URL("golden/istio-metrics.txt", import.meta.url), "utf8");
  expect(withBucketsOfOneSeries(await renderMetrics([store.values()]))).toBe(golden);
});

/** The others' would make the golden file ten times as long. */
function withBucketsOfOneSeries(text: string): string {
  const isShown = (line: string): boolean =>
    !line.includes("_bucket{") ||
    (line.includes('reporter="source"') && line.includes('response_code="200"'));
  return text.split("\n").filter(isShown).join("\n");
}
