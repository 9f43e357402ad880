import Edge
import EdgeStore
import ServiceHost
import TunnelConfig

/// How a command ends that could not do its work.
enum CommandFailure {
    /// The documented exit code of an error of any layer below.
    static func exitCode(for error: any Error) -> ServiceHost.ExitCode {
        switch error {
        case let error as StoreError:
            switch error.code {
            case .invalid, .hostnameRefused: .usage
            case .notFound, .tunnelTaken, .hostnameTaken, .networkTaken, .inUse, .conflict, .broken: .failure
            case .directoryUsed, .configuration: .configuration
            case .unavailable: .unavailable
            }
        case let error as EdgeError:
            switch error.code {
            case .listen: .unavailable
            case .configuration: .configuration
            }
        case is ConfigError: .configuration
        default: .failure
        }
    }
}
