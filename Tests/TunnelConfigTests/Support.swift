import Testing

@testable import TunnelConfig

/// The error of `body`, or nil with a recorded failure when it throws none.
func configError(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> ConfigError? {
    do {
        try body()
        Issue.record("no error was thrown", sourceLocation: sourceLocation)
        return nil
    } catch let error as ConfigError {
        return error
    } catch {
        Issue.record("an unexpected error was thrown: \(error)", sourceLocation: sourceLocation)
        return nil
    }
}

func file(_ yaml: String) throws -> ConfigFile {
    try ConfigFile.parse(yaml, path: "config.yml")
}

enum Sample {
    /// A file with most of what YAML can do.
    static let wholeFile = """
        tunnel: &t abc
        grace-period: 30s
        edge: [a, 'b', "c\\n"]
        originRequest: &o {connectTimeout: 5s, bastion: {allow: [10.0.0.0/8]}}
        ingress:
          - hostname: "*.a.test"
            path: ^/x(a|b)+$
            service: https://localhost:8443
            originRequest: {<<: *o, noTLSVerify: true}
          - service: http_status:404
        """
}
