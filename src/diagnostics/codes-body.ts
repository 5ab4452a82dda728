/** GH11xx: BodyPolicy. Rows of the table `codes`. */
export const bodyCodes = {
  bodyPolicyWithoutEffect: {
    code: "GH1101",
    severity: "error",
    title: "BodyPolicy that does nothing",
    help: "It has no rule over headers, over a body or over errors, no limit and no usage, so whoever relies on it is not protected. Say what it does, or remove it.",
  },
  bodyLimitWithoutAction: {
    code: "GH1102",
    severity: "error",
    title: "limit of a body without what happens beyond it",
    help: "`maxBytes` and `onLimit` are written together: `deny` refuses a longer body, `pass` lets it go on unread, which whoever sends padding can use, and `truncate` cuts it off. There is no default that is right for all.",
  },
  badBodyPath: {
    code: "GH1103",
    severity: "error",
    title: "path into a body that cannot be read",
    help: "A path begins with `$` and goes on with `.name`, `['any name']`, `[0]`, `[*]`, `.*`, or `..name` for every depth. Filters, slices and negative indexes do not exist.",
  },
  badBodyPattern: {
    code: "GH1104",
    severity: "error",
    title: "pattern of a detector that cannot be used",
    help: "Patterns are RE2: no look-around and no back references. `maxLength` says how many bytes the longest match has, from 1 to 4096, since so much of a streamed body is held back.",
  },
  badBodySchema: {
    code: "GH1105",
    severity: "error",
    title: "JSON schema that cannot be used",
    help: "Schemas are of drafts 4, 6 and 7, whole in one document: references lead to places within it only.",
  },
  badBodyDescriptor: {
    code: "GH1106",
    severity: "error",
    title: "descriptor set of a BodyPolicy that cannot be used",
    help: "`protoDescriptor` names a FileDescriptorSet, as `protoc --descriptor_set_out=FILE --include_imports` writes it.",
  },
  bodyHashKey: {
    code: "GH1107",
    severity: "error",
    title: "key of hash and tokenise",
    help: "The actions `hash` and `tokenise` need `hashKeyFile`, a file of 16 to 4096 bytes that nobody else has: values with few possibilities, such as card numbers, are found again from a hash whose key is known.",
  },
  bodyRuleOutOfPlace: {
    code: "GH1108",
    severity: "error",
    title: "rule that a body of this kind cannot have",
    help: "A rule over a whole body needs the body before anything of it goes on: `rules` and `json` of a response need `delivery: whole`, and a request body that is cut off by `onLimit: truncate` is not parsed. Rules that change a response's JSON are `fields`.",
  },
  badBodyHeader: {
    code: "GH1109",
    severity: "error",
    title: "header that a rule may not change",
    help: "Names are lower case. Pseudo-headers, `host` and headers of one connection or of the message's framing stay as they are; only `remove` takes a name that ends with `*`.",
  },
  unknownBodyRegoPolicy: {
    code: "GH1110",
    severity: "warning",
    title: "BodyPolicy names an unknown RegoPolicy",
    help: "No RegoPolicy of this namespace and name is loaded. Every request that the rule is asked about is refused.",
  },
  bodyFieldWithoutEffect: {
    code: "GH1111",
    severity: "warning",
    title: "field of a BodyPolicy has no effect",
    help: "The field belongs to a choice that the policy does not make, for example `hashKeyFile` without a field that is hashed. Remove it, or make the choice.",
  },
  bodyRuleNameTaken: {
    code: "GH1112",
    severity: "error",
    title: "two rules of a BodyPolicy with one name",
    help: "Names of `fields` and `detect` stand in records and metrics, so each stands once in a policy. A rule without `name` is called by its path or detector.",
  },
  obligationOnTrial: {
    code: "GH1113",
    severity: "warning",
    title: "obligation names a BodyPolicy on trial",
    help: "A BodyPolicy with `dryRun: true` changes and refuses nothing, so that it never carries an obligation out: every request that is allowed under it is an alarm. Take `dryRun` away, or the obligation. What Rego and CUSTOM providers name is only known when they do.",
  },
} as const;
