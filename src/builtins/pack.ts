import { aggregates } from "./aggregates.js";
import { arithmetic } from "./arithmetic.js";
import { awsBuiltins } from "./aws.js";
import type { Builtins } from "./builtin.js";
import { cast } from "./cast.js";
import { hashBuiltins } from "./crypto-hash.js";
import { keyBuiltins } from "./crypto-key.js";
import { x509Builtins } from "./crypto-x509.js";
import { encodingBuiltins } from "./encoding.js";
import { urlQueryBuiltins } from "./encoding-url.js";
import { glob } from "./glob.js";
import { graph } from "./graph.js";
import { graphql } from "./graphql.js";
import { internal } from "./internal.js";
import { json } from "./json.js";
import { jsonPatch } from "./json-patch.js";
import { jsonSchema } from "./json-schema.js";
import { jsonSelect } from "./json-select.js";
import { jwtDecodeBuiltins } from "./jwt-decode.js";
import { jwtSignBuiltins } from "./jwt-sign.js";
import { jwtVerifyBuiltins } from "./jwt-verify.js";
import { net } from "./net.js";
import { numbers } from "./numbers.js";
import { object } from "./object.js";
import { randBuiltins } from "./rand.js";
import { regex } from "./regex.js";
import { runtime } from "./runtime.js";
import { semver } from "./semver.js";
import { sprintf } from "./sprintf.js";
import { strings } from "./strings.js";
import { subset } from "./subset.js";
import { template } from "./template.js";
import { time } from "./time.js";
import { units } from "./units.js";
import { uri } from "./uri.js";
import { uuidBuiltins } from "./uuid.js";
import { yaml } from "./yaml.js";

const families: readonly Builtins[] = [
  aggregates,
  arithmetic,
  awsBuiltins,
  cast,
  hashBuiltins,
  keyBuiltins,
  x509Builtins,
  urlQueryBuiltins,
  encodingBuiltins,
  glob,
  graph,
  graphql,
  internal,
  jsonPatch,
  jsonSchema,
  jsonSelect,
  json,
  jwtDecodeBuiltins,
  jwtSignBuiltins,
  jwtVerifyBuiltins,
  net,
  numbers,
  object,
  randBuiltins,
  regex,
  runtime,
  semver,
  sprintf,
  strings,
  subset,
  template,
  time,
  units,
  uri,
  uuidBuiltins,
  yaml,
];

/** Every builtin that is implemented here, by OPA's name. Names are asked for with Object.hasOwn. */
export const builtins: Builtins = Object.assign(Object.create(null), ...families);
