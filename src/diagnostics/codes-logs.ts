/** GH10xx: logs, sinks and traces. Rows of the table `codes`. */
export const logCodes = {
  badLogFormat: {
    code: "GH1001",
    severity: "error",
    title: "format of an access log cannot be used",
    help: "The format is no text of literal characters and Envoy's command operators, such as `%RESPONSE_CODE%` or `%REQ(:PATH)%`; a percent sign by itself is written `%%`. Envoy would refuse it too. `docs/logs.md` lists the operators.",
  },
  operatorWithoutSource: {
    code: "GH1002",
    severity: "warning",
    title: "operator of an access log has no source here",
    help: "Envoy knows the operator, and what it stands for does not reach Gatehouse in the entries of Envoy's access log service. It is written as Envoy writes what it does not know: `-`, in JSON null. Give it to the access log as a custom tag, or let Envoy itself write this log.",
  },
  sinkTarget: {
    code: "GH1003",
    severity: "error",
    title: "sink has no target, or several",
    help: "Each sink of `decisionLog.sinks` names exactly one of `stdout`, `file` and `otlp`, and its name is its own.",
  },
  sinkCannotBeStrict: {
    code: "GH1004",
    severity: "error",
    title: "sink cannot be strict",
    help: "Strict means that no request is answered before its record is on disk, which only a sink with a `file`, and `audit`, can promise.",
  },
  unknownRecordField: {
    code: "GH1005",
    severity: "error",
    title: "mask names an unknown field of the decision record",
    help: "A mask that hides nothing is worse than none. `docs/logs.md` lists the fields; the message names those that can be masked.",
  },
  auditPathTaken: {
    code: "GH1006",
    severity: "error",
    title: "audit file is the target of another log",
    help: "Lines of another log would break the chain of hashes. Give the audit file a path of its own.",
  },
  secretHeaderShown: {
    code: "GH1007",
    severity: "warning",
    title: "secret header is shown in a log",
    help: "The header is masked in logs unless `show.headers` names it. Whoever can read the log can then act as its callers.",
  },
} as const;
