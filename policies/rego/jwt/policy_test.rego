package envoy.authz_test

import data.envoy.authz

# Signed once for these tests; the key is gone. The first may read and write orders, the second has another audience.
clerk := "eyJhbGciOiJFUzI1NiIsImtpZCI6InNob3AtMSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLnNob3AuZXhhbXBsZSIsInN1YiI6ImNhcm9sIiwiYXVkIjoic2hvcCIsImV4cCI6NDEwMjQ0NDgwMCwic2NvcGUiOiJvcmRlcnMucmVhZCBvcmRlcnMud3JpdGUiLCJvcmciOnsidGVhbSI6InBheW1lbnRzIn19.SuRyz6eMHfhQkQ3s889AbHBvwH6FaHplFtbcSdPl8WyUbHSJY1XA-uXdZMvUc2cYUwT8CMUuXJbGUZj10p-8nw"

other_audience := "eyJhbGciOiJFUzI1NiIsImtpZCI6InNob3AtMSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLnNob3AuZXhhbXBsZSIsInN1YiI6ImFsaWNlIiwiYXVkIjoid2FyZWhvdXNlIiwiZXhwIjo0MTAyNDQ0ODAwfQ.n3euNpu6Y6UvSA6QvDCNmjkFoID6WKvig7-8LSgWn9o6e0gjbX7q4hSVaTbeCGWUX8J97AXK5HtX4_DZmZdZag"

request(method, headers) := {"attributes": {"request": {"http": {"method": method, "headers": headers}}}}

bearer(text) := {"authorization": concat(" ", ["Bearer", text])}

test_a_scope_allows if {
	authz.allow with input as request("GET", bearer(clerk))
	authz.allow with input as request("POST", bearer(clerk))
}

test_other_methods_are_refused if not authz.allow with input as request("DELETE", bearer(clerk))

test_no_token_is_refused if not authz.allow with input as request("GET", {})

test_the_scheme_is_needed if not authz.allow with input as request("GET", {"authorization": clerk})

test_a_token_without_scope_is_refused if {
	not authz.allow with input as request("GET", bearer(clerk)) with io.jwt.decode_verify as [true, {}, {"sub": "carol"}]
}

# Any document or builtin can be replaced: here the clock, by a time after the year 2100.
test_an_expired_token_is_refused if {
	not authz.allow with input as request("GET", bearer(clerk)) with time.now_ns as 4102444801000000000
}

test_another_audience_is_refused if not authz.allow with input as request("GET", bearer(other_audience))

test_without_keys_nobody_comes_in if {
	not authz.allow with input as request("GET", bearer(clerk)) with data.jwks as {"keys": []}
}
