package envoy.authz_test

import data.envoy.authz

request(path, claims) := {"parsed_path": path, "gatehouse": {"auth": {"claims": claims}}}

test_ones_own if authz.decision.allowed with input as request(["profiles", "alice"], {"sub": "alice"})

test_somebody_elses if {
	answer := authz.decision with input as request(["profiles", "carol"], {"sub": "alice"})
	answer == {"allowed": false}
}

test_the_team if {
	claims := {"sub": "carol", "org": {"team": "payments"}}
	authz.decision.allowed with input as request(["profiles", "alice"], claims)
}

test_anonymous if {
	answer := authz.decision with input as {"parsed_path": ["profiles", "alice"], "gatehouse": {}}
	answer.http_status == 401
}
