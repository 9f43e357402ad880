import ServiceHost
import TunnelConfig

/// Everything that a local forwarder needs, decided and checked.
struct AccessPlan: Sendable {
    enum Mode: Sendable, Equatable {
        /// Accept local connections here, each with its own stream to the service.
        case listen(ListenAddress)
        /// One stream, between standard input and output and the service.
        case standardStreams
    }

    /// A request header of the user. Its value may be a secret.
    struct Header: Sendable, Equatable {
        var name: String
        var value: Secret
    }

    var hostname: AccessHostname
    var mode: Mode
    /// For the jump header; nil without a bastion.
    var destination: JumpDestination?
    var headers: [Header]
    /// With one, no browser is ever started.
    var serviceToken: ServiceToken?
    /// Dials this instead of the host name: `host`, `host:port` or `name:port:host`.
    var connectTo: String?
    /// PEM file of authorities, besides the system's.
    var authorityFile: String?
    /// How long the download may go on after the local side ended.
    var linger: Duration
    /// How many payloads are logged in stdin mode; nil for none.
    var debugStreamCount: Int?
}
