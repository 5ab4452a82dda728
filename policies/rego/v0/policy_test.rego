package envoy.authz

request(method, headers) = {"attributes": {"request": {"http": {"method": method, "headers": headers}}}}

test_allowed {
	result.allowed with input as request("GET", {"x-tenant": "t1"})
}

test_all_reasons {
	answer := result with input as request("PUT", {})
	answer.allowed == false
	answer.body == "method PUT is not served, no tenant"
	answer.headers["x-reasons"] == "2"
}
