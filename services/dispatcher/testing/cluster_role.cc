#include "services/dispatcher/testing/cluster_role.h"

#include <vector>

#include "yaml-cpp/yaml.h"

namespace slipway::dispatcher {

std::map<std::string, std::set<std::string>> VerbsOfRole() {
  std::map<std::string, std::set<std::string>> verbs;
  for (const YAML::Node& document : YAML::LoadAllFromFile(SLIPWAY_AGENTS_MANIFEST)) {
    if (document["kind"].as<std::string>() != "Role") continue;
    for (const YAML::Node& rule : document["rules"]) {
      for (const YAML::Node& kind : rule["resources"]) {
        const auto allowed = rule["verbs"].as<std::vector<std::string>>();
        verbs[kind.as<std::string>()].insert(allowed.begin(), allowed.end());
      }
    }
  }
  return verbs;
}

std::string VerbOf(const std::string& method, bool named, bool watch) {
  if (watch) return "watch";
  if (method == "GET") return named ? "get" : "list";
  return method == "POST" ? "create" : method == "PUT" ? "update" : "delete";
}

}  // namespace slipway::dispatcher
