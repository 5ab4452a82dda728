package envoy.authz_test

import data.envoy.authz

order(items) := {"parsed_body": {"items": items}, "truncated_body": false}

test_a_small_order if authz.allow with input as order([{"quantity": 2, "price": 10.5}])

test_an_expensive_order if not authz.allow with input as order([{"quantity": 2, "price": 501}])

test_too_many_items if {
	items := [{"quantity": 1, "price": 1} | some _ in numbers.range(1, 11)]
	not authz.allow with input as order(items)
}

test_a_negative_quantity if not authz.allow with input as order([{"quantity": -5, "price": 1}])

test_an_item_without_a_price if {
	not authz.allow with input as order([{"quantity": 1, "price": 1}, {"quantity": 1}])
}

test_no_items if not authz.allow with input as {"parsed_body": {}, "truncated_body": false}

test_no_body if not authz.allow with input as {"parsed_body": null, "truncated_body": false}

test_a_body_that_was_cut if not authz.allow with input as {"parsed_body": null, "truncated_body": true}
