/** Cases that are left out for one reason. */
export interface ComplianceException {
  readonly reason: string;
  /** Ids of cases without the version of the language: a group of OPA's and a note. */
  readonly cases: readonly string[];
}

/** Every case that does not run as in OPA. One that would pass must not be here: the run fails then. */
export const complianceExceptions: readonly ComplianceException[] = [
  {
    reason: "http.send and net.lookup_ip_addr would wait for the network while a request is decided",
    cases: [
      "invalidkeyerror/invalidkeyerror/invalid keys",
      "invalidkeyerror/invalidkeyerror/missing keys",
      "netlookupipaddr/net.lookup_ip_addr/simple ip4 returns that ip4",
      "netlookupipaddr/net.lookup_ip_addr/simple ip6 returns that ip6",
      "netlookupipaddr/net.lookup_ip_addr/localhost",
    ],
  },
  {
    reason: "rego.parse_module needs OPA's parser at run time, which lives where policies are compiled",
    cases: ["regoparsemodule/regoparsemodule/ok", "regoparsemodule/regoparsemodule/error"],
  },
  {
    reason: "test.sleep is a builtin that OPA's test program brings itself",
    cases: ["time/time/time caching"],
  },
  {
    reason:
      "a key of the base document that looks like a number is found by the number only in Go's store, not in any " +
      "compiled module: OPA leaves these out too (opa#3711)",
    cases: ["dataderef/data/toplevel integer", "dataderef/data/nested integer"],
  },
];
