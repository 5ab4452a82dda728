# METADATA
# title: The verified identity
# description: Everybody reads their own profile, the team that pays reads all.
package envoy.authz

# `input.gatehouse` is what Gatehouse itself found out; OPA-Envoy does not have it. `auth` is there only when a
# credential was verified, so its claims can be believed, unlike anything in `input.attributes.request.http.headers`.
claims := input.gatehouse.auth.claims

default may_read := false

may_read if input.parsed_path == ["profiles", claims.sub]

may_read if {
	input.parsed_path[0] == "profiles"
	claims.org.team == "payments"
}

decision := {"allowed": true} if may_read

# The first of a chain of `else` that is true is the answer.
else := {"allowed": false, "http_status": 401, "body": "log in first"} if not claims

else := {"allowed": false}
