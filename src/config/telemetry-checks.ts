import { type Code, codes, type Diagnostic, type Path } from "../diagnostics/index.js";
import { checkFormat } from "../logs/index.js";
import {
  type Metric,
  metricClashes,
  providersNamed,
  type Telemetry,
  unusedTelemetries,
} from "../report/index.js";
import type { Mesh } from "./mesh.js";
import type { DocumentReading, Placement } from "./reading.js";

type Diagnose = (
  placement: Placement,
  document: DocumentReading,
  code: Code,
  below: Path,
  message: string,
) => Diagnostic;

interface Held<Spec> {
  readonly spec: Spec;
  readonly say: (code: Code, below: Path, message: string) => Diagnostic;
}

/** What only shows between Telemetry and Metric documents, and between them and the Mesh. */
export function telemetryFindings(
  placements: readonly Placement[],
  mesh: Mesh,
  diagnose: Diagnose,
): Diagnostic[] {
  const held = <Spec>(kind: string): readonly Held<Spec>[] =>
    placements.flatMap((placement) =>
      placement.reading.documents
        .filter((document) => document.kind === kind && document.spec !== undefined)
        .map((document) => ({
          spec: document.spec as Spec,
          say: (code: Code, below: Path, message: string) =>
            diagnose(placement, document, code, below, message),
        })),
    );
  const telemetries = held<Telemetry>("Telemetry");
  return [
    ...telemetries.flatMap((one) => unknownProviders(one, mesh)),
    ...telemetries.flatMap(badFormats),
    ...secondTelemetries(telemetries),
    ...clashes(held<Metric>("Metric")),
  ];
}

function unknownProviders({ spec, say }: Held<Telemetry>, { extensionProviders }: Mesh): Diagnostic[] {
  const known = new Set(["prometheus", "envoy", ...extensionProviders.map(({ name }) => name.toLowerCase())]);
  return providersNamed(spec)
    .filter(({ name }) => !known.has(name))
    .map(({ name, path }) =>
      say(
        codes.unknownTelemetryProvider,
        path,
        `provider \`${name}\` is not among the Mesh's extensionProviders`,
      ),
    );
}

/** Formats are those of access logs, which kinds know nothing of. */
function badFormats({ spec, say }: Held<Telemetry>): Diagnostic[] {
  return spec.tracing.flatMap(({ tags = [] }, i) =>
    tags.flatMap((tag) => {
      if (!("format" in tag)) return [];
      const path = ["spec", "tracing", i, "customTags", tag.name, "formatter", "value"];
      const format = { text: tag.format, labels: {}, omitEmptyValues: false };
      return checkFormat(format, path).map(({ code, message }) => say(code, path, message));
    }),
  );
}

function secondTelemetries(held: readonly Held<Telemetry>[]): Diagnostic[] {
  const unused = new Set(unusedTelemetries(held.map(({ spec }) => spec)));
  const message = "has no effect: another Telemetry of the namespace without a selector comes first by name";
  return held
    .filter(({ spec }) => unused.has(spec))
    .map(({ say }) => say(codes.secondNamespaceTelemetry, ["metadata", "name"], message));
}

function clashes(held: readonly Held<Metric>[]): Diagnostic[] {
  const sorted = [...held].sort(({ spec: a }, { spec: b }) =>
    `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1,
  );
  const places = new Map(sorted.map((one) => [one.spec, one]));
  return metricClashes(sorted.map(({ spec }) => spec)).flatMap(({ metric, other, series }) => {
    const message = `series \`${series}\` is that of Metric ${other.namespace}/${other.name}, expected another name`;
    return places.get(metric)?.say(codes.metricNameTaken, ["spec", "name"], message) ?? [];
  });
}
