# METADATA
# title: Answers with headers
# description: Every field that an answer may have.
package envoy.authz

# Rules of one name must agree: were two of these true at once, there would be no answer at all. Each is for another kind
# of path, so that cannot be.

# Allowed, with changes to the request and the response.
decision := answer if {
	area == "shop"
	answer := {
		"allowed": true, # the only field that must be there
		"headers": {"x-area": area, "x-tag": ["a", "b"]}, # to the upstream; a list gives one header for each
		"request_headers_to_remove": ["x-debug"],
		"response_headers_to_add": {"x-decided-by": "rego"}, # to the client
		"query_parameters_to_set": {"currency": "eur"},
		"query_parameters_to_remove": ["debug"],
		# For later filters and the access log of Envoy, in the namespace envoy.filters.http.ext_authz.
		"dynamic_metadata": {"area": area},
	}
}

# Refused: here `headers` go to the client, and the fields for an allowed request have no effect.
decision := answer if {
	area == "admin"
	answer := {
		"allowed": false,
		"http_status": 404, # 403 when not said
		"body": "there is nothing here\n",
		"headers": {"content-type": "text/plain"},
	}
}

# A redirect is a refusal, too.
decision := {"allowed": false, "http_status": 302, "headers": {"location": "/shop"}} if area == ""

# All else. `else` is not needed, but one rule must be true for every request, else there is no answer: 500.
decision := {"allowed": false} if not area in {"shop", "admin", ""}

area := input.parsed_path[0]
