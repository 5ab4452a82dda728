import { describe, expect, it } from "vitest";
import type { HeadersOutcome } from "../../../../src/envoy/ext-proc/exchange.js";
import type { Answer, BodyMode, Part } from "../../../../src/envoy/ext-proc/message.js";
import {
  endDone,
  finish,
  headersDone,
  isIdle,
  pushDone,
  receive,
  takeAnswers,
} from "../../../../src/envoy/ext-proc/session.js";
import { createSession, type Session, sideOf } from "../../../../src/envoy/ext-proc/session-state.js";
import {
  body,
  goOn,
  goOnWithResponse,
  headers,
  immediate,
  incoming,
  trailers,
  upperCase,
  verdicts,
} from "./exchanges.js";

interface Driven {
  readonly session: Session;
  /** Sends parts one after the other; gives the answers to each. */
  readonly send: (...parts: readonly Part[]) => string[][];
  readonly violations: string[];
}

interface Setup {
  readonly request?: BodyMode;
  readonly response?: BodyMode;
  readonly early?: boolean;
  readonly isObserved?: boolean;
  readonly onRequest?: HeadersOutcome;
  readonly onResponse?: HeadersOutcome;
  readonly maxHeldBytes?: number;
}

function drive({
  request = "NONE",
  response = "NONE",
  early = false,
  isObserved = false,
  onRequest = goOnWithResponse,
  onResponse = goOn,
  maxHeldBytes = 1000,
}: Setup = {}): Driven {
  const violations: string[] = [];
  const session = createSession({
    config: { requestBodyMode: request, responseBodyMode: response, sendsBodyEarly: early },
    isObserved,
    verdicts,
    onViolation: (direction, what) => void violations.push(`${direction}:${what}`),
    maxHeldBytes,
  });
  const work = (): void => {
    for (const direction of ["request", "response"] as const) {
      for (
        let next = sideOf(session, direction).work;
        next !== undefined;
        next = sideOf(session, direction).work
      ) {
        if (next.kind === "headers") {
          headersDone(session, direction, direction === "request" ? onRequest : onResponse);
        } else if (next.kind === "push") pushDone(session, direction, next.flow.push(next.chunk) as never);
        else endDone(session, direction, next.flow.end() as never);
      }
    }
  };
  return {
    session,
    violations,
    send: (...parts) =>
      parts.map((part) => {
        receive(session, incoming(part));
        work();
        return takeAnswers(session).map(shown);
      }),
  };
}

/** An answer in one line. */
function shown(answer: Answer): string {
  if (answer.kind === "immediate") return `immediate ${answer.details}`;
  const words = [`${answer.direction}_${answer.kind}`];
  const { mutation } = answer;
  if (mutation) {
    words.push(...mutation.remove.map((name) => `-${name}`));
    words.push(...mutation.set.map(({ name, value }) => `+${name}=${value}`));
  }
  if (answer.kind === "headers" && answer.replaceBody) {
    words.push(`replace:${Buffer.from(answer.replaceBody).toString()}`);
  }
  if (answer.kind === "body" && answer.change) {
    const { change } = answer;
    const text = change.kind === "clear" ? "" : `:${Buffer.from(change.bytes).toString("latin1")}`;
    words.push(`${change.kind}${text}${change.kind === "streamed" && change.endOfStream ? "." : ""}`);
    if (change.kind === "streamed" && change.withoutMessage) words.push("no-message");
    if (change.kind === "streamed" && change.compressed) words.push("compressed");
  }
  if (answer.metadata) words.push("record");
  const mode = answer.modeOverride;
  if (mode) {
    const { requestBodyMode, requestTrailers, responseHeaders, responseBodyMode, responseTrailers } = mode;
    words.push(
      `mode(${requestBodyMode} ${requestTrailers}; ${responseHeaders} ${responseBodyMode} ${responseTrailers})`,
    );
  }
  return words.join(" ");
}

const post = headers("request", {});
const ok = headers("response", { "content-length": "2" });
const flow = (need: "whole" | "streamed", options = {}): HeadersOutcome => ({
  ...goOnWithResponse,
  flow: upperCase(need, options),
});

/** To the headers of a request whose response is wanted, with its body. */
const asksResponse = "request_headers mode(NONE SKIP; SEND FULL_DUPLEX_STREAMED SEND)";

describe("headers only", () => {
  it("are answered by a bare answer, and a response that nobody wants to see is not asked for", () => {
    expect(drive({ onRequest: goOn }).send(post)).toEqual([
      ["request_headers mode(NONE SKIP; SKIP NONE SKIP)"],
    ]);
    expect(drive().send(post, ok)).toEqual([[asksResponse], ["response_headers"]]);
  });

  it("end the exchange by an immediate answer, after which nothing is answered", () => {
    const onRequest = { ...goOn, immediate: immediate("no") };
    expect(drive({ onRequest }).send(post, ok, body("response", "x", true))).toEqual([
      ["immediate no"],
      [],
      [],
    ]);
    expect(drive({ onResponse: { ...goOn, immediate: immediate("no") } }).send(post, ok)).toEqual([
      [asksResponse],
      ["immediate no"],
    ]);
  });

  it("switch off bodies that are configured but that nobody reads", () => {
    const { send } = drive({ request: "STREAMED", response: "BUFFERED" });
    expect(send(post, ok)).toEqual([
      ["request_headers mode(NONE SKIP; SEND BUFFERED SKIP)"],
      ["response_headers mode(NONE SKIP; SEND NONE SKIP)"],
    ]);
  });

  it("pass what comes nevertheless, where overrides are not heeded", () => {
    const { send } = drive({ request: "STREAMED", response: "BUFFERED" });
    expect(send(post, body("request", "a"), body("request", "", true))).toEqual([
      [expect.stringContaining("mode(")],
      ["request_body"],
      ["request_body"],
    ]);
    expect(send(ok, body("response", "ab"), trailers("response")).slice(1)).toEqual([
      ["response_body"],
      ["response_trailers"],
    ]);
  });

  it.each([
    ["request", "FULL_DUPLEX_STREAMED", "NONE", false],
    ["response", "NONE", "FULL_DUPLEX_STREAMED", false],
    ["early", "STREAMED", "STREAMED", true],
  ] as const)("override nothing where Envoy would ignore it: %s", (_, request, response, early) => {
    expect(drive({ request, response, early, onRequest: goOn }).send(post)).toEqual([["request_headers"]]);
  });
});

describe("a request whose body has to be seen whole", () => {
  const onRequest = flow("whole");

  it("is asked for BUFFERED; its headers change with the body, content-length too", () => {
    const { send } = drive({ onRequest: flow("whole") });
    expect(send(headers("request", { "content-length": "3" }), body("request", "abc", true))).toEqual([
      ["request_headers mode(BUFFERED SEND; SEND FULL_DUPLEX_STREAMED SEND)"],
      ["request_body -etag body:ABC record"],
    ]);
    const longer = {
      ...upperCase("whole"),
      end: () =>
        ({
          kind: "go",
          bytes: Buffer.from("ABCD"),
          edits: { remove: ["content-length", "x-a"], set: [] },
        }) as const,
    };
    const changed = drive({ onRequest: { ...goOnWithResponse, flow: longer } });
    expect(
      changed.send(headers("request", { "content-length": "3" }), body("request", "abc", true))[1],
    ).toEqual(["request_body -etag -x-a +content-length=4 body:ABCD record"]);
  });

  it("is whole in one message though trailers follow", () => {
    const { send } = drive({ onRequest: flow("whole") });
    expect(send(post, body("request", "abc"), trailers("request")).slice(1)).toEqual([
      ["request_body -etag body:ABC record"],
      ["request_trailers"],
    ]);
  });

  it("is looked at also where it is empty and only trailers come", () => {
    const refuses = (): boolean => true;
    const refused = drive({ request: "BUFFERED", onRequest: flow("whole", { refuses }) });
    expect(refused.send(post, trailers("request"))[1]).toEqual([
      "immediate refused:request:sensitive_data:ns/flow",
    ]);
    const { send } = drive({ request: "BUFFERED", onRequest: flow("whole") });
    expect(send(post, trailers("request"))[1]).toEqual(["request_trailers record"]);
  });

  it("is refused where only trailers come, as it may have passed by if overrides are not heeded", () => {
    expect(drive({ onRequest }).send(post, trailers("request"))[1]).toEqual([
      "immediate violated:request:body_not_sent",
    ]);
  });

  it("refuses the response when it never came, but for the answers that Envoy gives while it waits", () => {
    expect(drive({ onRequest }).send(post, ok)[1]).toEqual(["immediate violated:request:body_not_sent"]);
    const tooLarge = headers("response", { ":status": "413" });
    expect(drive({ onRequest }).send(post, tooLarge)[1]).toEqual(["response_headers"]);
  });

  it("is refused where a mode that cannot be changed does not send it", () => {
    for (const request of ["NONE", "STREAMED"] as const) {
      const { send, violations } = drive({ request, response: "FULL_DUPLEX_STREAMED", onRequest });
      expect(send(post)).toEqual([["immediate violated:request:body_not_sent"]]);
      expect(violations).toEqual(["request:body_not_sent"]);
    }
  });

  it.each(["BUFFERED_PARTIAL", "STREAMED"] as const)("is refused where %s sends only a part", (request) => {
    const { send } = drive({ request, onRequest });
    expect(send(post, body("request", "abc"))[1]).toEqual(["immediate refused:request:body_too_large:"]);
  });

  it("holds back everything in FULL_DUPLEX_STREAMED, headers first, and sends pieces of at most 64 KiB", () => {
    const { send, session } = drive({ request: "FULL_DUPLEX_STREAMED", onRequest: flow("whole") });
    expect(send(post, body("request", "ab"), body("request", ""), body("request", "c", true))).toEqual([
      [],
      [],
      [],
      ["request_headers -etag", "request_body streamed:ABC. record"],
    ]);
    expect(isIdle(session)).toBe(true);
    const large = drive({ request: "FULL_DUPLEX_STREAMED", onRequest: flow("whole") });
    const answers = large.send(post, body("request", "x".repeat(150_000), true))[1] ?? [];
    expect(answers.map((answer) => answer.length)).toEqual([21, 65_558, 65_558, 18_958]);
  });

  it("holds back no more than it may", () => {
    const eager = { ...upperCase("whole"), push: (bytes: Uint8Array) => ({ kind: "go", bytes }) as const };
    const { send } = drive({ request: "FULL_DUPLEX_STREAMED", onRequest: { ...goOn, flow: eager } });
    expect(send(post, body("request", "x".repeat(1000)), body("request", "x"))).toEqual([
      [],
      [],
      ["immediate refused:request:body_too_large:"],
    ]);
  });

  it("goes before its trailers", () => {
    const { send } = drive({ request: "FULL_DUPLEX_STREAMED", onRequest: flow("whole") });
    expect(send(post, body("request", "ab"), trailers("request"))[2]).toEqual([
      "request_headers -etag",
      "request_body streamed:AB",
      "request_trailers record",
    ]);
  });
});

describe("a body that is looked at as it comes", () => {
  it("is asked for in FULL_DUPLEX_STREAMED with trailers; a response's headers wait for a piece of it", () => {
    const { send } = drive({ onResponse: flow("streamed", { held: 1 }) });
    expect(
      send(post, ok, body("response", "ab"), body("response", "cd"), body("response", "", true)),
    ).toEqual([
      [asksResponse],
      [],
      ["response_headers -etag -content-length", "response_body streamed:A"],
      ["response_body streamed:BC"],
      ["response_body streamed:D. record"],
    ]);
  });

  it("lets a response through of which nothing is wanted after all", () => {
    const { send } = drive({ onResponse: goOn });
    expect(send(post, ok, body("response", "ab"), body("response", "", true))).toEqual([
      [asksResponse],
      ["response_headers"],
      ["response_body streamed:ab"],
      ["response_body streamed:."],
    ]);
  });

  it("lets no response's headers go while nothing of the body came: Envoy may ignore what it was asked", () => {
    for (const need of ["streamed", "whole"] as const) {
      const { send, session, violations } = drive({ onResponse: flow(need) });
      expect(send(post, ok)).toEqual([[asksResponse], []]);
      finish(session);
      expect(takeAnswers(session)).toEqual([]);
      expect(violations).toEqual([]);
      expect(isIdle(session)).toBe(true);
    }
  });

  it("asks for a request's and a response's at once", () => {
    const { send } = drive({ onRequest: flow("streamed"), onResponse: flow("whole") });
    expect(send(post, body("request", "a"), ok)).toEqual([
      ["request_headers -etag mode(FULL_DUPLEX_STREAMED SEND; SEND FULL_DUPLEX_STREAMED SEND)"],
      ["request_body streamed:A"],
      [],
    ]);
  });

  it("says nothing twice where Envoy says twice that the body is over", () => {
    const { send } = drive({ request: "FULL_DUPLEX_STREAMED", onRequest: flow("streamed") });
    expect(send(post, body("request", "a", true), body("request", "", true)).slice(1)).toEqual([
      ["request_body streamed:A. record"],
      [],
    ]);
  });

  it("is answered chunk by chunk in STREAMED: changed, as it was, or cleared", () => {
    const { send } = drive({ request: "STREAMED", onRequest: flow("streamed", { held: 2 }) });
    expect(
      send(
        post,
        body("request", "ab"),
        body("request", "12"),
        body("request", "34"),
        body("request", "", true),
      ).slice(1),
    ).toEqual([
      ["request_body clear"],
      ["request_body body:AB"],
      ["request_body body:12"],
      ["request_body body:34 record"],
    ]);
    const same = drive({ request: "STREAMED", onRequest: flow("streamed") });
    expect(same.send(post, body("request", "12"))[1]).toEqual(["request_body"]);
  });

  it("is refused in STREAMED when trailers come while bytes are held, which could go nowhere", () => {
    const { send } = drive({ request: "STREAMED", onRequest: flow("streamed", { held: 1 }) });
    expect(send(post, body("request", "ab"), trailers("request"))[2]).toEqual([
      "immediate violated:request:out_of_order",
    ]);
    const none = drive({ request: "STREAMED", onRequest: flow("streamed") });
    expect(none.send(post, body("request", "ab"), trailers("request"))[2]).toEqual([
      "request_trailers record",
    ]);
  });

  it("is refused where the upstream answered well before anything of it came, not where it answered badly", () => {
    const onRequest = flow("streamed");
    expect(drive({ onRequest }).send(post, ok)[1]).toEqual(["immediate violated:request:body_not_sent"]);
    const early = headers("response", { ":status": "401" });
    expect(drive({ onRequest }).send(post, early)[1]).toEqual(["response_headers"]);
    expect(drive({ onRequest, request: "STREAMED" }).send(post, ok)[1]).toEqual(["response_headers"]);
  });

  it("takes from its trailers what is not true any more of a body that it may have changed", () => {
    const onResponse = {
      ...goOnWithResponse,
      flow: { ...upperCase("streamed"), untrueTrailers: ["digest", "repr-digest"] },
    };
    const { send } = drive({ onResponse });
    const [first] = send(post, ok, body("response", "ab"), {
      kind: "trailers",
      direction: "response",
      trailers: new Map([
        ["digest", ["of-all"]],
        ["grpc-status", ["0"]],
      ]),
    }).slice(3);
    expect(first).toEqual(["response_trailers -digest record"]);
  });

  it("is dropped at Envoy's half-close, and nobody refused it: the client went, or it is over", () => {
    const { send, session, violations } = drive({
      request: "STREAMED",
      onRequest: flow("streamed", { held: 1 }),
    });
    send(post, body("request", "ab"));
    finish(session);
    expect(isIdle(session)).toBe(true);
    expect(session.isOver).toBe(false);
    expect(takeAnswers(session)).toEqual([]);
    expect(violations).toEqual([]);
    const uploading = drive({ onRequest: flow("whole") });
    uploading.send(post);
    finish(uploading.session);
    expect([uploading.session.isOver, ...uploading.violations]).toEqual([false]);
  });

  it("is refused by an immediate answer, whatever was let go on", () => {
    const refuses = (seen: string): boolean => seen.includes("bad");
    const { send } = drive({ request: "FULL_DUPLEX_STREAMED", onRequest: flow("streamed", { refuses }) });
    expect(
      send(post, body("request", "ok"), body("request", "bad"), body("request", "", true)).slice(1),
    ).toEqual([["request_body streamed:OK"], ["immediate refused:request:sensitive_data:ns/flow"], []]);
  });
});

describe("messages of gRPC", () => {
  const grpc = headers("request", { "content-type": "application/grpc" });

  it("pass as they are where nobody looks at them, the end without a message too", () => {
    const { send } = drive({ request: "GRPC", response: "FULL_DUPLEX_STREAMED" });
    const message = body("request", "a") as Extract<Part, { kind: "body" }>;
    const end: Part = { ...message, body: new Uint8Array(0), endOfStream: true, withoutMessage: true };
    expect(send(grpc, { ...message, compressed: true }, body("request", ""), end).slice(1)).toEqual([
      ["request_body streamed:a compressed"],
      ["request_body streamed:"],
      ["request_body streamed:. no-message"],
    ]);
  });

  it.each([grpc, post])(
    "are refused where somebody has to see them, as Envoy lets them pass unseen",
    (head) => {
      expect(drive({ request: "GRPC", onRequest: flow("streamed") }).send(head)).toEqual([
        ["immediate violated:request:body_not_sent"],
      ]);
    },
  );
});

describe("a body in place of another", () => {
  const onResponse: HeadersOutcome = { ...goOn, replaceBody: Buffer.from("sorry") };

  it("is put by CONTINUE_AND_REPLACE, after which nothing comes", () => {
    const onRequest: HeadersOutcome = { ...goOn, response: { head: true, body: "none" } };
    const { send } = drive({ onRequest, onResponse });
    expect(send(post, ok, body("response", "x"))).toEqual([
      ["request_headers"],
      ["response_headers replace:sorry"],
      ["immediate violated:response:out_of_order"],
    ]);
  });

  it("is put in place of pieces that come anyway", () => {
    const { send } = drive({ response: "FULL_DUPLEX_STREAMED", onResponse });
    expect(send(post, ok, body("response", "x"), body("response", "y", true)).slice(1)).toEqual([
      ["response_headers -content-length"],
      ["response_body streamed:sorry"],
      ["response_body streamed:. record"],
    ]);
  });
});

describe("responses without a body, tunnels and local replies", () => {
  const upgrade = headers("request", {
    ":method": "GET",
    upgrade: "websocket",
    connection: "keep-alive, Upgrade",
  });
  const bodyKnown = (setup: Setup, ...parts: readonly Part[]): boolean | undefined => {
    const { session, send } = drive(setup);
    send(...parts.slice(0, -1));
    receive(session, incoming(parts.at(-1) as Part));
    const work = sideOf(session, "response").work ?? sideOf(session, "request").work;
    return work?.kind === "headers" ? work.hasBody : undefined;
  };

  it.each([
    ["HEAD", headers("request", { ":method": "HEAD" }, true), headers("response", {}), false],
    ["204", post, headers("response", { ":status": "204" }), false],
    ["304", post, headers("response", { ":status": "304" }), false],
    ["206", post, headers("response", { ":status": "206" }), true],
    ["the end of the stream", post, headers("response", {}, true), false],
    ["an accepted upgrade", upgrade, headers("response", { ":status": "101" }), false],
    ["a refused upgrade", upgrade, headers("response", { ":status": "400" }), true],
    ["101 that nobody asked for", post, headers("response", { ":status": "101" }), true],
    ["CONNECT", headers("request", { ":method": "CONNECT" }), headers("response", {}), false],
  ])("are known: %s", (_, request, response, hasBody) => {
    expect(bodyKnown({}, request, response)).toBe(hasBody);
  });

  it("have a tunnel's bytes pass, and switch off BUFFERED, in which it would hang", () => {
    expect(bodyKnown({}, upgrade)).toBe(false);
    const { send } = drive({ request: "BUFFERED", response: "STREAMED" });
    const accepted = headers("response", { ":status": "101" });
    expect(send(upgrade, accepted, body("response", "frame"), body("request", "frame"))).toEqual([
      ["request_headers mode(NONE SKIP; SEND STREAMED SKIP)"],
      ["response_headers mode(NONE SKIP; SEND NONE SKIP)"],
      ["response_body"],
      ["request_body"],
    ]);
  });

  it("do not hide a body behind an upgrade", () => {
    const hidden = headers("request", {
      ":method": "POST",
      upgrade: "websocket",
      connection: "upgrade",
      "content-length": "5",
    });
    expect(drive({ onRequest: flow("whole") }).send(hidden)).toEqual([
      ["immediate violated:request:body_not_sent"],
    ]);
    expect(drive({}).send(hidden)).toEqual([[asksResponse]]);
  });

  it("are refused where bytes come for which there is no place", () => {
    const { send } = drive({ response: "STREAMED" });
    expect(send(post, headers("response", { ":status": "204" }), body("response", "x")).at(-1)).toEqual([
      "immediate violated:response:out_of_order",
    ]);
  });

  it("may come before the request's body is over, and wait for what is decided on its headers", () => {
    const { session } = drive();
    receive(session, incoming(post));
    receive(session, incoming(ok));
    expect(sideOf(session, "response").work).toBeUndefined();
    headersDone(session, "request", goOnWithResponse);
    expect(sideOf(session, "response").work?.kind).toBe("headers");
    headersDone(session, "response", goOn);
    expect(takeAnswers(session).map(shown)).toEqual([asksResponse, "response_headers"]);
  });

  it("are asked about also where no request was seen", () => {
    expect(drive({ onResponse: goOn }).send(ok)).toEqual([["response_headers"]]);
  });
});

describe("parts that come where they may not", () => {
  it.each([
    ["a body before its headers", [body("request", "a")], "request"],
    ["trailers before their headers", [trailers("request")], "request"],
    ["headers twice", [post, post], "request"],
    ["a request after its response", [ok, post], "request"],
    ["a response's body before its headers", [post, body("response", "a")], "response"],
    ["more after the end", [headers("request", {}, true), body("request", "a")], "request"],
    ["trailers after the end", [headers("request", {}, true), trailers("request")], "request"],
    ["trailers twice", [post, trailers("request"), trailers("request")], "request"],
  ])("are refused: %s", (_, parts, direction) => {
    const { send, violations } = drive();
    expect(send(...parts).at(-1)).toEqual([`immediate violated:${direction}:out_of_order`]);
    expect(violations).toEqual([`${direction}:out_of_order`]);
  });
});

describe("observability mode", () => {
  it("drives everything and answers nothing", () => {
    const own = upperCase("whole");
    const { send, session, violations } = drive({
      isObserved: true,
      request: "STREAMED",
      onRequest: { ...goOn, flow: own },
    });
    expect(send(post, body("request", "a"), body("request", "b", true), ok).flat()).toEqual([]);
    expect(own.seen()).toBe("ab");
    expect(session.isOver).toBe(false);
    expect(violations).toEqual([]);
  });

  it("does nothing more after what would be a refusal", () => {
    const { send, session } = drive({ isObserved: true, onRequest: { ...goOn, immediate: immediate("no") } });
    expect(send(post, ok).flat()).toEqual([]);
    expect(session.isOver).toBe(true);
  });
});
