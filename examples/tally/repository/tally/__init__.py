"""A small expense tracker."""
