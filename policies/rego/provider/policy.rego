# METADATA
# title: Office hours
# description: Writing only on working days from 8 to 18 o'clock, Berlin time.
package envoy.authz

default allow := false

# Reading is always allowed.
allow if input.attributes.request.http.method == "GET"

allow if {
	not weekday in {"Saturday", "Sunday"}
	hour >= 8
	hour < 18
}

zone := "Europe/Berlin"

# When the request came, as Envoy tells it, in nanoseconds: `seconds` is absent at 1970, so 0 stands in.
received := object.get(input.attributes.request.time, "seconds", 0) * 1000000000

weekday := time.weekday([received, zone])

hour := time.clock([received, zone])[0]
