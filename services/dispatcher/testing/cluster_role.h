#pragma once

#include <map>
#include <set>
#include <string>

namespace slipway::dispatcher {

// What the role in deploy/kubernetes/agents.yaml allows: verbs by kind.
std::map<std::string, std::set<std::string>> VerbsOfRole();

// What a role calls a request.
std::string VerbOf(const std::string& method, bool named, bool watch);

}  // namespace slipway::dispatcher
