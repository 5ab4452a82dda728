# In v0 there is no `if` before a body and no `contains` in a set's head; `gatehouse rego fmt` does not turn v0 into v1,
# but a module with `import rego.v1` is checked by the rules of both.
package envoy.authz

import input.attributes.request.http

# A set of reasons: each rule adds what it finds.
deny[reason] {
	not http.headers["x-tenant"]
	reason := "no tenant"
}

deny[reason] {
	not methods[http.method]
	reason := sprintf("method %s is not served", [http.method])
}

methods := {"GET", "HEAD", "POST"}

default allow = false

allow {
	count(deny) == 0
}

result["allowed"] = allow

# Sets are in order: the same reasons are the same text.
result["body"] = concat(", ", deny)

result["headers"] = {"x-reasons": format_int(count(deny), 10)} {
	not allow
}
