#pragma once

namespace slipway::planner {

// What a plan's reply must look like, for models and the providers that enforce schemas. The fields
// and values are those that ReadPlanReply reads; a test compares both.
inline constexpr char kPlanSchema[] = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "plan",
  "type": "object",
  "additionalProperties": false,
  "required": ["summary", "tasks"],
  "properties": {
    "summary": {"type": "string", "description": "What will be done, in a few sentences."},
    "tasks": {
      "type": "array", "minItems": 1, "maxItems": 500,
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "title", "description", "depends_on", "intent", "complexity",
                     "allowed_paths", "acceptance"],
        "properties": {
          "id": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
                 "description": "Unique in the plan; never \"integration\"."},
          "title": {"type": "string"},
          "description": {"type": "string",
                          "description": "Everything that the one who does it needs to know."},
          "depends_on": {"type": "array", "items": {"type": "string"},
                         "description": "Ids of tasks that must be merged first."},
          "intent": {"type": "string", "enum": ["code", "test", "docs", "refactor", "config"]},
          "complexity": {"type": "string", "enum": ["low", "medium", "high"]},
          "allowed_paths": {"type": "array", "minItems": 1, "items": {"type": "string"},
              "description": "Files it may touch, from the root: * in a name, ** any depth."},
          "context_paths": {"type": "array", "items": {"type": "string"},
                            "description": "Further files to show to the one who does it."},
          "acceptance": {"type": "array", "items": {"type": "string"},
                         "description": "How to see that it is done."},
          "priority": {"type": "integer", "minimum": 0, "maximum": 9},
          "critical": {"type": "boolean"},
          "phase": {"type": "string"}
        }
      }
    },
    "requirements": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "text", "tasks"],
        "properties": {
          "id": {"type": "string", "description": "R1, R2, ..."},
          "text": {"type": "string"},
          "tasks": {"type": "array", "items": {"type": "string"},
                    "description": "Ids of the tasks that meet it; empty when none does."}
        }
      }
    },
    "open_questions": {"type": "array", "items": {"type": "string"}},
    "risks": {"type": "array", "items": {"type": "string"}},
    "test_strategy": {"type": "string"}
  }
})json";

}  // namespace slipway::planner
