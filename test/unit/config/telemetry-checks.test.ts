import { describe, expect, it } from "vitest";
import { createCatalog } from "../../../src/config/index.js";
import { formatDiagnostic } from "../../../src/diagnostics/index.js";

const authentication = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt, namespace: shop}
spec:
  jwtRules:
    - issuer: https://id.example
      jwks: '{"keys": []}'
      fromHeaders: [{name: X-Mine}]
      fromParams: [ticket]
`;

const metric = (label: string): string => `apiVersion: gatehouse.dev/v1alpha1
kind: Metric
metadata: {name: orders, namespace: shop}
spec:
  name: orders_total
  labels: {a: "${label}"}
`;

const telemetry = (value: string): string => `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: tags, namespace: shop}
spec:
  metrics:
    - providers: [{name: prometheus}]
      overrides:
        - tagOverrides:
            a: {value: "${value}"}
`;

async function said(...documents: readonly string[]): Promise<string[]> {
  const files = documents.map((text, i) => ({ path: `${i}.yaml`, text }));
  const update = await createCatalog({ pause: async () => {} }).update({ files, diagnostics: [] });
  return update.diagnostics.map(formatDiagnostic).filter((line) => line.includes("GH0908"));
}

describe("a label of a metric", () => {
  it.each([
    ["request.headers['x-mine']", "header `x-mine`"],
    ["'a' + (has(request.headers.host) ? request.headers['x-mine'] : '')", "header `x-mine`"],
    ["request.query_params['ticket']", "query parameter `ticket`"],
  ])("is an error when it shows what a policy reads a token from: %s", async (source, what) => {
    const message = `${what} holds a credential, expected a label that shows none`;
    expect(await said(metric(source), authentication)).toEqual([
      `0.yaml:6:15: error GH0908 ${message} (Metric shop/orders)`,
    ]);
    expect(await said(authentication, telemetry(source))).toEqual([
      `1.yaml:9:24: error GH0908 ${message} (Telemetry shop/tags)`,
    ]);
  });

  it("may show other headers, and that one where no policy reads a token from it", async () => {
    expect(await said(metric("request.headers['x-other']"), authentication)).toEqual([]);
    expect(await said(metric("'x-mine' in request.headers"), authentication)).toEqual([]);
    expect(await said(metric("request.headers['x-mine']"))).toEqual([]);
  });
});
