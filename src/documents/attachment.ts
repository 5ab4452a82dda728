import { codes, type Finding, finding, type Path, show } from "../diagnostics/index.js";
import { asFields, type Fields, nameOf, readList, readText, wrongType } from "./fields.js";
import { readSelector, type Selector } from "./selector.js";

/** What a policy is attached to in place of a selector. */
export interface TargetRef {
  /** Empty for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/** What `selector`, `targetRef` and `targetRefs` of a spec say. */
export interface Attached {
  /** Undefined: every workload of the namespace, or of the mesh in the root namespace. */
  readonly selector: Selector | undefined;
  readonly targetRefs: readonly TargetRef[];
}

/** The fields of a spec that {@link readAttachment} reads. */
export const attachmentFields = ["selector", "targetRef", "targetRefs"] as const;

const targetRefFields: ReadonlySet<string> = new Set(["group", "kind", "name", "namespace"]);

/** Group and kind of what a policy may be attached to; the empty group is core. */
const targets: readonly string[] = [
  "core/Service",
  "networking.istio.io/ServiceEntry",
  "gateway.networking.k8s.io/Gateway",
  "gateway.networking.k8s.io/GatewayClass",
];

/**
 * Reads the three ways to attach a policy, of which at most one may be given; the old `targetRef` is one of
 * `targetRefs`.
 */
export function readAttachment(spec: Fields, at: Path, out: Finding[]): Attached {
  const given = attachmentFields.filter((key) => spec[key] !== undefined);
  const second = given[1];
  if (second !== undefined) {
    const message = `\`${second}\` stands beside \`${given[0]}\`, expected only one of selector, targetRef and targetRefs`;
    out.push(finding(codes.conflictingFields, [...at, second], message));
  }
  const single = spec["targetRef"];
  const list = readList(spec, "targetRefs", at, out) ?? [];
  if (list.length > 16) {
    const message = `\`targetRefs\` has ${list.length} items, expected at most 16`;
    out.push(finding(codes.tooMany, [...at, "targetRefs"], message));
  }
  const targetRefs = [
    ...(single === undefined ? [] : [readTargetRef(single, [...at, "targetRef"], out)]),
    ...list.map((item, i) => readTargetRef(item, [...at, "targetRefs", i], out)),
  ];
  return {
    selector: readSelector(spec, at, out),
    targetRefs: targetRefs.filter((ref) => ref !== undefined),
  };
}

function readTargetRef(value: unknown, at: Path, out: Finding[]): TargetRef | undefined {
  const ref = asFields(value, at, out, targetRefFields);
  if (ref === undefined) return undefined;
  const group = readText(ref, "group", at, out) ?? "";
  const kind = readText(ref, "kind", at, out);
  const name = readText(ref, "name", at, out);
  const namespace = readText(ref, "namespace", at, out) ?? "";
  for (const key of ["kind", "name"]) {
    if (ref[key] === undefined) out.push(wrongType(undefined, [...at, key], "a string"));
    else if (ref[key] === "") out.push(finding(codes.emptyValue, [...at, key], `\`${key}\` is empty`));
  }
  if (name !== undefined && [...name].length > 253) {
    out.push(finding(codes.tooMany, [...at, "name"], "`name` is longer than 253 characters"));
  }
  if (namespace !== "") {
    const message = `${nameOf([...at, "namespace"])} is ${show(namespace)}, expected none: a policy applies in its own namespace`;
    out.push(finding(codes.invalidValue, [...at, "namespace"], message));
  }
  if (kind && !targets.includes(`${group || "core"}/${kind}`)) {
    const message = `target ${show(`${group}/${kind}`)} is not supported, expected one of ${targets.join(", ")}`;
    out.push(finding(codes.wrongEnum, [...at, "kind"], message));
  }
  return { group: group === "core" ? "" : group, kind: kind ?? "", name: name ?? "", namespace };
}
