package envoy.authz_test

import data.envoy.authz

put(time_text) := {"attributes": {"request": {
	"time": {"seconds": time.parse_rfc3339_ns(time_text) / 1000000000},
	"http": {"method": "PUT"},
}}}

test_a_working_day if authz.allow with input as put("2026-06-01T10:00:00+02:00")

test_before_work if not authz.allow with input as put("2026-06-01T07:59:59+02:00")

test_after_work if not authz.allow with input as put("2026-06-01T18:00:00+02:00")

test_sunday if not authz.allow with input as put("2026-06-07T10:00:00+02:00")

test_reading_always if authz.allow with input as {"attributes": {"request": {"http": {"method": "GET"}}}}

# Nobody knows the time: not in office hours.
test_no_time if not authz.allow with input as {"attributes": {"request": {"http": {"method": "PUT"}}}}
