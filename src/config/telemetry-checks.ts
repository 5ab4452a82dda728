import { type Code, codes, type Diagnostic, type Path } from "../diagnostics/index.js";
import { checkFormat } from "../logs/index.js";
import {
  keysRead,
  type Metric,
  metricClashes,
  providersNamed,
  type Telemetry,
  unusedTelemetries,
} from "../report/index.js";
import type { Mesh } from "./mesh.js";
import type { Diagnose, Placement } from "./reading.js";
import { tokenPlaces } from "./telemetry.js";

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
  const metrics = held<Metric>("Metric");
  const credentials = credentialsOf(placements);
  return [
    ...telemetries.flatMap((one) => unknownProviders(one, mesh)),
    ...telemetries.flatMap(badFormats),
    ...secondTelemetries(telemetries),
    ...clashes(metrics),
    ...telemetries.flatMap((one) => shownByTags(one, credentials)),
    ...metrics.flatMap((one) => shownByLabels(one, credentials)),
  ];
}

/** Where requests carry credentials. */
interface Credentials {
  readonly headers: ReadonlySet<string>;
  readonly params: ReadonlySet<string>;
}

function credentialsOf(placements: readonly Placement[]): Credentials {
  const documents = placements.flatMap(({ reading }) => reading.documents);
  const places = tokenPlaces(documents.filter(({ spec }) => spec !== undefined));
  return {
    headers: new Set(places.flatMap(({ headers }) => headers.map(({ name }) => name.toLowerCase()))),
    params: new Set(places.flatMap(({ params }) => params)),
  };
}

function shownByTags({ spec, say }: Held<Telemetry>, credentials: Credentials): Diagnostic[] {
  return spec.metrics.flatMap(({ overrides }, i) =>
    overrides.flatMap(({ labels }, j) =>
      labels.flatMap(([name, change]) => {
        if (!("value" in change)) return [];
        const path = ["spec", "metrics", i, "overrides", j, "tagOverrides", name, "value"];
        return shownBy(change.value, credentials).map((what) => say(codes.labelShowsCredential, path, what));
      }),
    ),
  );
}

function shownByLabels({ spec, say }: Held<Metric>, credentials: Credentials): Diagnostic[] {
  return spec.labels.flatMap(([name, source]) =>
    shownBy(source, credentials).map((what) =>
      say(codes.labelShowsCredential, ["spec", "labels", name], what),
    ),
  );
}

/** What an expression says of credentials, each once. */
function shownBy(source: string, credentials: Credentials): readonly string[] {
  const { headers, params } = keysRead(source);
  const behind = "holds a credential, expected a label that shows none";
  const messages = [
    ...headers.filter((name) => credentials.headers.has(name)).map((name) => `header \`${name}\` ${behind}`),
    ...params
      .filter((name) => credentials.params.has(name))
      .map((name) => `query parameter \`${name}\` ${behind}`),
  ];
  return [...new Set(messages)];
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
