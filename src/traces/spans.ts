import type { Report, TracingRule } from "../report/index.js";
import { decisionSpanName, decisionStatus, decisionTags } from "./decision-span.js";
import { rootTraceIdOf, spanIdsOf } from "./ids.js";
import {
  addIstioTags,
  addTag,
  requestSpanName,
  requestStatus,
  requestTags,
  type TagOptions,
} from "./request-span.js";
import { resourceOf } from "./resource.js";
import { isAmong } from "./sampling.js";
import type { Span } from "./span.js";
import { type CompiledTag, compileTag, type Format } from "./tag-rules.js";
import { contextOf, type TraceContext } from "./trace-context.js";

/** What spans need of their surroundings. */
export interface SpanOptions extends TagOptions {
  /** Writes the `format` of a tag; called once for each rule and tag. */
  readonly format: Format;
  /** Whether credentials are read from the header, whose name is lower-case. */
  readonly isSecret?: (header: string) => boolean;
}

/** The spans of a report, none when its rule does not want them. Each provider of the rule gets the same ones. */
export type SpansOf = (report: Report, rule: TracingRule) => readonly Span[];

const none: readonly Span[] = [];

/**
 * Makes spans of HTTP requests that are over, one of the request at this proxy, and below it one of its check where
 * there was any. A connection and a request that goes on have none: they would not end. What the trace's beginner
 * decided on sampling holds; undecided ones, and requests without a trace, are sampled by the rule's share.
 */
export function createSpans(options: SpanOptions): SpansOf {
  const surroundings = { isSecret: () => false, ...options };
  const tagsByRule = new WeakMap<TracingRule, readonly CompiledTag[]>();
  const tagsOf = (rule: TracingRule): readonly CompiledTag[] => {
    let tags = tagsByRule.get(rule);
    if (tags === undefined) {
      tags = rule.tags.map((tag) => compileTag(tag, surroundings));
      tagsByRule.set(rule, tags);
    }
    return tags;
  };
  return (report, rule) => {
    const { request } = report.attributes;
    const [provider, ...others] = rule.providers;
    if (rule.disabled || provider === undefined) return none;
    if (request === undefined || report.event !== "close") return none;
    const context = contextOf(report);
    const traceId = sampledTraceId(report, context, rule.samplingPercent);
    if (traceId === undefined) return none;

    const ids = spanIdsOf(report);
    const { start, duration = 0 } = report.times;
    const traceState = context?.traceState ?? "";
    const resource = resourceOf(report.reporter);
    const tags = requestTags(report, request, options);
    if (rule.istioTags) addIstioTags(tags, report, options);
    for (const { name, read } of tagsOf(rule)) {
      const value = read(report);
      if (value !== undefined) addTag(tags, name, value);
    }
    // Whole literals: spreading a part into each was half of what a span cost.
    const { status, statusMessage } = requestStatus(report);
    const spans: Span[] = [
      {
        provider,
        traceId,
        spanId: ids.request,
        parentSpanId: context?.spanId ?? "",
        traceState,
        name: requestSpanName(report),
        kind: report.side,
        startMs: start,
        endMs: start + duration,
        status,
        statusMessage,
        attributes: tags,
        resource,
      },
    ];
    if (report.check.outcome !== "none") {
      const decision = decisionStatus(report);
      spans.push({
        provider,
        traceId,
        spanId: ids.decision,
        parentSpanId: ids.request,
        traceState,
        name: decisionSpanName,
        kind: "internal",
        startMs: start,
        // When the check began is not known; nothing that takes time stands before it in most filter chains.
        endMs: start + (report.check.latencyMs ?? 0),
        status: decision.status,
        statusMessage: decision.statusMessage,
        attributes: decisionTags(report),
        resource,
      });
    }
    if (others.length === 0) return spans;
    return [...spans, ...others.flatMap((other) => spans.map((span) => ({ ...span, provider: other })))];
  };
}

/** The trace that the report's spans belong to; undefined: not sampled. */
function sampledTraceId(
  report: Report,
  context: TraceContext | undefined,
  percent: number,
): string | undefined {
  const sampled = context?.sampled ?? "undecided";
  if (sampled === "no" || (sampled === "undecided" && percent <= 0)) return undefined;
  const own = context?.traceId ?? "";
  const traceId = own === "" ? rootTraceIdOf(report) : own;
  return sampled === "yes" || isAmong(percent, traceId) ? traceId : undefined;
}
