# METADATA
# title: Tokens
# description: A good token of our issuer, with the scope that the method needs.
package envoy.authz

default allow := false

allow if {
	needed := scopes[input.attributes.request.http.method]
	needed in split(claims.scope, " ")
}

# What a caller needs; any other method is undefined here, and so refused.
scopes := {
	"GET": "orders.read",
	"POST": "orders.write",
}

# Only claims of a token that was verified: `io.jwt.decode` alone would believe everybody. A token that is expired, of
# another issuer or audience, or signed by somebody else gives `[false, {}, {}]`, and `claims` is undefined.
claims := payload if {
	[is_valid, _, payload] := io.jwt.decode_verify(token, {
		"cert": json.marshal(data.jwks), # a JWK Set as text, or a certificate in PEM
		"alg": "ES256", # fixed here, so that the token cannot choose
		"iss": "https://id.shop.example",
		"aud": "shop", # a token that has an audience needs this one
		"time": time.now_ns(), # the default; said, so that tests can set the clock
	})
	is_valid
}

# Names of headers are lower case. `trim_prefix` would take a text without the scheme as a token, too.
token := substring(header, count("Bearer "), -1) if {
	header := input.attributes.request.http.headers.authorization
	startswith(header, "Bearer ")
}
