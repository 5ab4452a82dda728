package envoy.authz_test

import data.envoy.authz

# Each rule `test_...` is a test. `with` puts a value in the place of a document: here of all input, and of the data that
# the policy has beside it, so that the tests do not depend on who works where.
workloads := {"spiffe://t/reader": "reader", "spiffe://t/editor": "editor"}

roles := {
	"reader": [{"methods": ["GET"], "path": "/people/*"}],
	"editor": [{"methods": ["PUT"], "path": "/people/*"}],
}

request(principal, method, path) := {
	"attributes": {
		"source": {"principal": principal},
		"request": {"http": {"method": method}},
	},
	"parsed_path": path,
}

allowed(asked) if authz.allow with input as asked with data.workloads as workloads with data.roles as roles

test_a_reader_reads if allowed(request("spiffe://t/reader", "GET", ["people", "ada"]))

test_a_reader_does_not_write if not allowed(request("spiffe://t/reader", "PUT", ["people", "ada"]))

test_an_editor_writes if allowed(request("spiffe://t/editor", "PUT", ["people", "ada"]))

test_a_grant_covers_one_segment if not allowed(request("spiffe://t/reader", "GET", ["people", "ada", "salary"]))

test_who_has_no_role_is_refused if not allowed(request("spiffe://t/else", "GET", ["people", "ada"]))

test_everybody_reads_the_list if {
	asked := {"attributes": {"request": {"http": {"method": "GET"}}}, "parsed_path": ["people"]}
	allowed(asked)
}
