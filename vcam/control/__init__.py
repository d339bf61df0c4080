"""The wire: how others speak to a vcam that runs."""
