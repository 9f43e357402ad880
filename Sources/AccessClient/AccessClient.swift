// AccessClient
