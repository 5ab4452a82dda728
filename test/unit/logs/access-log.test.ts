import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIp } from "../../../src/attributes/index.js";
import type { AccessLogSpec } from "../../../src/logs/format-of.js";
import {
  accessLogOf,
  builtinProvider,
  checkLogProvider,
  compileAccessLog,
  defaultMasks,
  envoyFileAccessLog,
  envoyOtelAls,
  type LogLine,
  type LogProvider,
  type MaskSettings,
  opentelemetry,
  sinkOfProvider,
} from "../../../src/logs/index.js";
import type { Report } from "../../../src/report/index.js";
import { aRequest } from "../../support/request.js";
import { aReport } from "../traces/reports.js";

const mesh = { accessLogFile: "", accessLogEncoding: "TEXT", accessLogFormat: "" } as const;
const shown: MaskSettings = { headers: [], show: { headers: [], queryParams: ["*"] } };

function specOf(provider: LogProvider, settings: Parameters<typeof accessLogOf>[1] = mesh): AccessLogSpec {
  const spec = accessLogOf(provider, settings);
  if (spec === undefined) throw new Error("expected an access log");
  return spec;
}

function file(fields: unknown): LogProvider {
  return { name: "file", envoyFileAccessLog: envoyFileAccessLog.parse(fields) };
}

function line(provider: LogProvider, report: Report, masks: MaskSettings = defaultMasks): LogLine {
  return compileAccessLog(specOf(provider), masks, [])(report);
}

const text = (format: string, report: Report, masks?: MaskSettings): string =>
  line(file({ logFormat: { text: format } }), report, masks).text;
const json = (labels: object, report: Report, omitEmptyValues = false): string =>
  line(file({ logFormat: { labels }, omitEmptyValues }), report).text;

const noTimes = {
  lastRequestByte: undefined,
  firstUpstreamByteSent: undefined,
  lastUpstreamByteSent: undefined,
  firstUpstreamByteReceived: undefined,
  lastUpstreamByteReceived: undefined,
  firstResponseByte: undefined,
  lastResponseByte: undefined,
};
const noUpstream = { cluster: "", address: undefined, port: 0, attempts: 0, transportFailure: "" };

/** What Envoy 1.40 logged as the first golden below. */
const direct = aReport({
  attributes: aRequest()
    .get("/a?b=c")
    .host("127.0.0.1:28471")
    .header("user-agent", "curl/7.88.1")
    .header("x-forwarded-for", "1.2.3.4")
    .header("x-request-id", "5211eac8-28de-4af7-8a1a-80a3dff0aa8f")
    .with({
      source: { ip: parseIp("127.0.0.1"), port: 54494, principal: "" },
      destination: { ip: parseIp("127.0.0.1"), port: 28471, principal: "" },
      remoteIp: parseIp("1.2.3.4"),
    })
    .build(),
  response: {
    code: 200,
    codeDetails: "direct_response",
    headers: new Map(),
    trailers: new Map(),
    grpcStatus: undefined,
    headersBytes: 0,
    bodyBytes: 5,
  },
  requestBodyBytes: 0,
  requestHeadersBytes: 194,
  times: {
    ...noTimes,
    start: 1_795_308_296_752.158,
    duration: 1.7,
    lastRequestByte: 0.2,
    lastResponseByte: 1.6895,
  },
  upstream: noUpstream,
  routeName: "the-route",
  streamId: "5211eac8-28de-4af7-8a1a-80a3dff0aa8f",
});

/** And as the second. */
const refused = aReport({
  attributes: aRequest()
    .method("POST", "/up")
    .host("127.0.0.1:28471")
    .header("user-agent", 'a"b')
    .header("x-request-id", "1cfd5ead-50c5-40aa-bed1-b0d956a995cb")
    .with({
      source: { ip: parseIp("127.0.0.1"), port: 54506, principal: "" },
      destination: { ip: parseIp("127.0.0.1"), port: 28471, principal: "" },
      remoteIp: parseIp("127.0.0.1"),
    })
    .build(),
  response: {
    code: 503,
    codeDetails:
      "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error: Connection refused}",
    headers: new Map(),
    trailers: new Map(),
    grpcStatus: undefined,
    headersBytes: 0,
    bodyBytes: 98,
  },
  requestBodyBytes: 5,
  flags: "UF",
  times: { ...noTimes, start: 1_795_308_296_767.95, duration: 0.7 },
  upstream: {
    cluster: "dead",
    address: parseIp("127.0.0.1"),
    port: 28472,
    attempts: 1,
    transportFailure: "delayed_connect_error: Connection refused",
  },
  routeName: "",
});

describe("Istio's format of text", () => {
  it("is what Envoy writes of a direct response", () => {
    expect(line(file({}), direct, shown)).toMatchObject({
      sink: "access/file",
      severity: "info",
      text:
        '[2026-11-22T00:44:56.752Z] "GET /a?b=c HTTP/1.1" 200 - direct_response - "-" 0 5 1 - "1.2.3.4" ' +
        '"curl/7.88.1" "5211eac8-28de-4af7-8a1a-80a3dff0aa8f" "127.0.0.1:28471" "-" - - 127.0.0.1:28471 1.2.3.4:0 - ' +
        "the-route",
    });
  });

  it("is what Envoy writes of an upstream that refuses", () => {
    expect(line(file({}), refused)).toMatchObject({
      severity: "error",
      text:
        '[2026-11-22T00:44:56.767Z] "POST /up HTTP/1.1" 503 UF upstream_reset_before_response_started' +
        "{remote_connection_failure|delayed_connect_error:_Connection_refused} - " +
        '"delayed_connect_error:_Connection_refused" 5 98 0 - "-" "a"b" "1cfd5ead-50c5-40aa-bed1-b0d956a995cb" ' +
        '"127.0.0.1:28471" "127.0.0.1:28472" dead - 127.0.0.1:28471 127.0.0.1:54506 - -',
    });
  });

  it("masks the values of a query unless they are to be shown", () => {
    expect(line(file({}), direct).text).toContain('"GET /a?b=*** HTTP/1.1"');
  });
});

describe("Istio's labels of JSON", () => {
  it("are sorted, have numbers, and null for what is not known", () => {
    const { text } = line(file({ logFormat: { labels: {} } }), direct);
    expect(JSON.parse(text)).toMatchObject({
      path: "/a?b=***",
      response_code: 200,
      duration: 1,
      bytes_sent: 5,
      response_flags: "-",
      upstream_host: null,
      start_time: "2026-11-22T00:44:56.752Z",
    });
    const keys = Object.keys(JSON.parse(text) as object);
    expect(keys).toEqual([...keys].sort());
    expect(keys).toHaveLength(24);
  });

  it("are those of MeshConfig's encoding for the provider that every mesh has", () => {
    const settings = {
      accessLogFile: "/dev/stdout",
      accessLogEncoding: "JSON",
      accessLogFormat: "",
    } as const;
    const spec = specOf(builtinProvider(settings), settings);
    expect(Object.keys(spec.format.labels)).toHaveLength(24);
    const own = { ...settings, accessLogFormat: '{"code": "%RESPONSE_CODE%"}' } as const;
    expect(compileAccessLog(specOf(builtinProvider(own), own), defaultMasks, [])(direct).text).toBe(
      '{"code":200}',
    );
    expect(sinkOfProvider(builtinProvider(own), () => undefined)).toEqual({
      kind: "stdout",
      name: "access/envoy",
    });
  });
});

describe("a format", () => {
  it("is what Envoy writes: times, lengths, percent signs, other headers", () => {
    const format =
      "U %START_TIME(%s|%3f|%f|%6f|%E3S|%E*S|%Y/%m/%d %H:%M:%S|%b %e %j %a %T %F %p %I %y|%z|%Z)% 100%% " +
      "%REQ(ABC?DEF):3% %REQ(USER-AGENT):3% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %GRPC_STATUS% %GRPC_STATUS_NUMBER% " +
      "%REQUEST_DURATION% %REQUEST_TX_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION% %ACCESS_LOG_TYPE% " +
      "%RESPONSE_FLAGS_LONG% %DYNAMIC_METADATA(a:b)% %STREAM_ID% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS% " +
      "%DOWNSTREAM_REMOTE_PORT% %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)% %REQUEST_HEADERS_BYTES% %UPSTREAM_REMOTE_PORT%";
    expect(text(format, direct)).toBe(
      "U 1795308296|752|752158000|752158|56.752|56.752158|2026/11/22 00:44:56|" +
        "Nov 22 326 Sun 00:44:56 2026-11-22 AM 12 26|+0000|UTC 100% - cur 0 - - 0 - - - DownstreamEnd - - " +
        "5211eac8-28de-4af7-8a1a-80a3dff0aa8f 127.0.0.1:54494 0 1689 194 -",
    );
  });

  it("of JSON is what Envoy writes: types, nesting, text around operators", () => {
    const labels = {
      z: "%RESPONSE_CODE%",
      duration: "%DURATION%",
      mixed: "a %RESPONSE_CODE% %ROUTE_NAME%",
      none: "%REQ(nope)%",
      nested: { b: "%BYTES_SENT%", a: 5, l: ["%PROTOCOL%", true] },
      flags: "%RESPONSE_FLAGS%",
      lit: "x",
      pct: "50%%",
    };
    expect(json(labels, direct)).toBe(
      '{"duration":1,"flags":"-","lit":"x","mixed":"a 200 the-route",' +
        '"nested":{"a":5,"b":5,"l":["HTTP/1.1",true]},"none":null,"pct":"50%","z":200}',
    );
  });

  it("that leaves out what is not known is what Envoy writes", () => {
    const labels = {
      z: "%RESPONSE_CODE%",
      none: "%REQ(nope)%",
      mixed: "[%REQ(nope)%]",
      flags: "%RESPONSE_FLAGS%",
      nested: { n: "%REQ(nope)%" },
    };
    expect(json(labels, direct, true)).toBe('{"flags":"-","mixed":"[]","z":200}');
    const format = "O [%REQ(nope)%] [%RESPONSE_FLAGS%] [%ROUTE_NAME%] [%UPSTREAM_HOST%]";
    const provider = file({ logFormat: { text: format }, omitEmptyValues: true });
    expect(line(provider, refused).text).toBe("O [] [UF] [] [127.0.0.1:28472]");
  });

  it("masks secret headers, URLs in headers, and claims of tokens", () => {
    const request = aRequest()
      .get("/a")
      .header("authorization", "Bearer s3cret")
      .header("referer", "https://x.example/?code=s3cret")
      .with({
        metadata: (filter) =>
          filter === "envoy.filters.http.jwt_authn"
            ? { payload: { sub: "u", email: "s3cret@example.com", realm: { roles: ["s3cret"] } } }
            : undefined,
      })
      .build();
    const report = aReport({ attributes: request });
    const namespace = "envoy.filters.http.jwt_authn";
    const format =
      `%REQ(AUTHORIZATION)% %REQ(X-NONE?Authorization):2% %REQ(REFERER)% %DYNAMIC_METADATA(${namespace})% ` +
      `%DYNAMIC_METADATA(${namespace}:payload:sub)% %DYNAMIC_METADATA(${namespace}:payload:email)%`;
    const written = text(format, report, shown);
    expect(written).not.toContain("s3cret@");
    expect(text(format, report)).toBe(
      '*** ** https://x.example/?code=*** {"payload":{"sub":"u","email":"***","realm":"***"}} u ***',
    );
  });

  it("writes the decision that the check's metadata hold", () => {
    const attributes = aRequest()
      .with({
        metadata: (filter) =>
          filter === "envoy.filters.http.ext_authz"
            ? { decision_id: "d-1", gatehouse: { policy: "shop/deny", rule: 2 } }
            : undefined,
      })
      .build();
    const namespace = "envoy.filters.http.ext_authz";
    const report = aReport({ attributes });
    expect(
      json(
        {
          p: `%DYNAMIC_METADATA(${namespace}:gatehouse:policy)%`,
          r: `%DYNAMIC_METADATA(${namespace}:gatehouse:rule)%`,
        },
        report,
      ),
    ).toBe('{"p":"shop/deny","r":2}');
    expect(text(`%DYNAMIC_METADATA(${namespace}:gatehouse:none:deeper)%`, report)).toBe("-");
  });

  it("is one line without control characters, whatever callers send", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => {
        const agent = Buffer.from(value, "utf8").toString("latin1");
        const report = aReport({
          attributes: aRequest().get(`/${agent}`).header("user-agent", agent).build(),
        });
        const written = text("%REQ(USER-AGENT)% %REQ(:PATH)%\nend", report);
        expect(written).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
        expect(written.endsWith(" end")).toBe(true);
        expect(() => JSON.parse(json({ a: "%REQ(USER-AGENT)%", b: "x%REQ(:PATH)%" }, report))).not.toThrow();
      }),
    );
  });

  it("writes IPv6 and connections", () => {
    const attributes = aRequest()
      .tcp()
      .with({
        source: { ip: parseIp("2001:db8::1"), port: 5, principal: "" },
        remoteIp: parseIp("2001:db8::1"),
        sni: "db.example",
      })
      .build();
    const report = aReport({
      attributes,
      response: undefined,
      event: "close",
      bytes: { received: 10, sent: 20, upstreamReceived: 30, upstreamSent: 40 },
    });
    expect(
      text(
        "%DOWNSTREAM_REMOTE_ADDRESS% %REQ(:METHOD)% %PROTOCOL% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% " +
          "%REQUESTED_SERVER_NAME% %ACCESS_LOG_TYPE% %UPSTREAM_WIRE_BYTES_SENT% %RESPONSE_CODE_DETAILS%",
        report,
      ),
    ).toBe("[2001:db8::1]:5 - - 0 10 20 db.example TcpConnectionEnd 40 -");
  });

  it.each([
    ["CAMEL_STRING", 7, "PermissionDenied"],
    ["SNAKE_STRING", 7, "PERMISSION_DENIED"],
    ["NUMBER", 7, "7"],
    ["CAMEL_STRING", 99, "99"],
    ["SNAKE_STRING", 1, "CANCELLED"],
  ])("writes the status of gRPC as %s", (form, grpcStatus, written) => {
    const { response } = aReport();
    const report = aReport({ response: response && { ...response, grpcStatus } });
    expect(text(`%GRPC_STATUS(${form})%`, report)).toBe(written);
  });
});

describe("an access log for OTLP", () => {
  it("has its text as body, labels as attributes, and the trace of the request", () => {
    const provider = {
      name: "otel",
      envoyOtelAls: envoyOtelAls.parse({
        service: "otel.example",
        port: 4317,
        logFormat: {
          text: "%REQ(:METHOD)%",
          labels: {
            code: "%RESPONSE_CODE%",
            none: "%REQ(nope)%",
            nested: { a: "%DURATION%" },
            plain: true,
            two: "%RESPONSE_CODE%!",
          },
        },
      }),
    };
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const attributes = aRequest().get("/").header("traceparent", traceparent).build();
    expect(line(provider, aReport({ attributes }))).toEqual({
      sink: "access/otel",
      time: 1_700_000_000_012.75,
      severity: "info",
      text: "GET",
      fields: { log_name: "otel_envoy_accesslog", code: 200, nested: '{"a":12}', plain: true, two: "200!" },
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
    });
  });

  it.each([
    [{ b3: "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1" }, "80f198ee56343ba864fe8b2a57d3eff7"],
    [
      { "x-b3-traceid": "64fe8b2a57d3eff7", "x-b3-spanid": "e457b5a2e4d86bd1" },
      "000000000000000064fe8b2a57d3eff7",
    ],
    [{ traceparent: "00-00000000000000000000000000000000-b7ad6b7169203331-01" }, "-"],
    [{ traceparent: "nonsense" }, "-"],
  ])("finds the trace in %j", (headers, traceId) => {
    let request = aRequest().get("/");
    for (const [name, value] of Object.entries(headers)) request = request.header(name, value);
    expect(text("%TRACE_ID%", aReport({ attributes: request.build() }))).toBe(traceId);
  });
});

describe("what is said of a format at load", () => {
  const check = (logFormat: object): string[] =>
    checkLogProvider(file({ logFormat }), undefined, ["p"]).map(
      ({ code, path, message }) => `${code.severity} ${path.join(".")}: ${message}`,
    );

  it("is nothing where all is well", () => {
    expect(check({ text: "%START_TIME(%Y)% %REQ(A?B):5% 5%% %DURATION%\n" })).toEqual([]);
    expect(check({ labels: { a: { b: ["%DURATION%"] } } })).toEqual([]);
  });

  it.each([
    ["100%", "is no command operator, expected `%NAME%`, or `%%`"],
    ["%NOPE%", "unknown command operator `%NOPE%`"],
    ["%req(a)%", "is no command operator"],
    ["%REQ(A?B?C)%", "cannot be read, expected a header's name"],
    ["%REQ()%", "cannot be read"],
    ["%START_TIME(%Q)%", "expected a format of strftime"],
    ["%DURATION(x)%", "expected nothing in parentheses"],
    ["%COMMON_DURATION(DS_RX_BEG:NOPE)%", "expected START:END"],
    ["%GRPC_STATUS(LOUD)%", "expected CAMEL_STRING"],
  ])("is an error where Envoy would refuse it: %s", (format, message) => {
    const [found = "", ...more] = check({ text: format });
    expect(more).toEqual([]);
    expect(found).toContain("error p.envoyFileAccessLog.logFormat.text: ");
    expect(found).toContain(message);
  });

  it("is a warning where an operator has no source here", () => {
    expect(check({ labels: { a: { b: "%FILTER_STATE(x:PLAIN)%" } } })).toEqual([
      expect.stringMatching(
        /^warning p\.envoyFileAccessLog\.logFormat\.labels\.a\.b: `%FILTER_STATE\(x:PLAIN\)%` has no source/,
      ),
    ]);
    expect(text("%FILTER_STATE(x:PLAIN)%", direct)).toBe("-");
  });
});

describe("a receiver of traces", () => {
  it("is a sink of its provider's name, in Istio's fields", () => {
    const tracing = opentelemetry.parse({
      service: "tracing/otel.example",
      port: 4318,
      maxTagLength: 64,
      http: { path: "/api/otlp/traces", timeout: "10s", headers: [{ name: "my-header", value: "v" }] },
    });
    expect(sinkOfProvider({ name: "otel-tracing", opentelemetry: tracing }, () => undefined)).toMatchObject({
      kind: "otlp",
      name: "otel-tracing",
      protocol: "http",
      host: "otel.example",
      path: "/api/otlp/traces",
      timeoutMs: 10_000,
      headers: [["my-header", "v"]],
    });
  });
});
