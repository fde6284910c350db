"""The life of a contract: application, renewal, notices ahead of it, codes that pay for it."""
