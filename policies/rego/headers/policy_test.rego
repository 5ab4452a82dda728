package envoy.authz_test

import data.envoy.authz

decision(path) := answer if answer := authz.decision with input as {"parsed_path": path}

test_the_shop_is_open if {
	answer := decision(["shop", "7"])
	answer.allowed
	answer.headers["x-area"] == "shop"
	answer.dynamic_metadata == {"area": "shop"}
}

test_the_back_office_hides if {
	answer := decision(["admin"])
	not answer.allowed
	answer.http_status == 404
}

test_the_root_redirects if decision([""]).headers.location == "/shop"

test_all_else_is_refused if decision(["else"]) == {"allowed": false}
