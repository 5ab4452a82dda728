# METADATA
# title: Bodies
# description: Orders of anybody, as long as they are small.
package envoy.authz

default allow := false

# `parsed_body` is the body as JSON, a form or a multipart form, by its content type; null when there is none or it is of
# another type. A body that is not what its type says is refused with 400 before the policy is asked.
order := input.parsed_body

# Envoy cuts a body that is too long. Half of a JSON is no JSON, so `parsed_body` is null then, and this is true. A
# policy that only looks for what is forbidden would let everything pass that is long enough.
is_cut := input.truncated_body

allow if {
	not is_cut
	is_array(order.items)
	count(order.items) <= limits.items
	every item in order.items {
		is_number(item.quantity)
		item.quantity >= 1
	}
	total <= limits.total
}

# A comprehension: a list of what the lines behind `|` give. One item without a price, and it would be left out of the
# sum; so the number of prices has to be that of the items.
prices := [price |
	some item in order.items
	price := item.quantity * item.price
]

total := sum(prices) if count(prices) == count(order.items)

limits := {"items": 10, "total": 1000}
