# METADATA
# title: Roles from data
# description: A caller's role says which methods it may use on which paths.
package envoy.authz

# What is not allowed below is refused. Without this line `allow` would be undefined instead of false, and an undefined
# answer is an error: 500 instead of 403.
default allow := false

# True when there is a grant of the caller's role that covers both method and path. `some ... in` tries all of them.
allow if {
	some grant in data.roles[role]
	http.method in grant.methods

	# `*` stands for one segment, since `/` separates. The path has no query, and escapes are undone before it is split.
	glob.match(grant.path, ["/"], path)
}

# Two rules of one name: one that is true is enough. Everybody reads the list of names.
allow if {
	http.method == "GET"
	input.parsed_path == ["people"]
}

# The client certificate's identity. Where there is none this is undefined, and so is every rule that needs it.
role := data.workloads[input.attributes.source.principal]

path := concat("/", array.concat([""], input.parsed_path))

http := input.attributes.request.http
