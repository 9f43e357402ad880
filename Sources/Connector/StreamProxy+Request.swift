import EdgeTransport
import OriginTransport
import TunnelConfig

extension StreamRequest {
    /// The path that rules are matched with: without query, escapes decoded. Bytes that are no UTF-8 are replaced.
    var decodedPath: String {
        let raw = path.prefix { $0 != "?" }
        guard raw.utf8.contains(UInt8(ascii: "%")) else { return String(raw) }
        var bytes: [UInt8] = []
        var rest = Array(raw.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let high = rest[rest.startIndex].hexDigit,
                let low = rest[rest.startIndex + 1].hexDigit
            {
                rest = rest.dropFirst(2)
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate var hexDigit: UInt8? {
        switch self {
        case 48...57: self - 48
        case 65...70: self - 55
        case 97...102: self - 87
        default: nil
        }
    }
}

extension OriginError {
    /// A browser asked for a service that only `cloudflared access` can reach.
    static func notForBrowsers(_ service: OriginService, _ request: StreamRequest) -> OriginError {
        let host = DomainName.host(ofAuthority: request.authority)
        let (command, port) =
            switch service {
            case .tcp("rdp", _, _): ("rdp", "localhost:3389")
            case .tcp("ssh", _, _): ("ssh", "localhost:2222")
            case .tcp("smb", _, _): ("smb", "localhost:8445")
            default: ("tcp", "localhost:9210")
            }
        let destination = service == .bastion ? " --destination HOST:PORT" : ""
        return OriginError(
            .wrongKind,
            "this hostname is not a web page; connect to it with:"
                + " cloudflared access \(command) --hostname \(host) --url \(port)\(destination)")
    }

    /// A service without address reached the wrong place: a bug, not a configuration.
    static var noTarget: OriginError { OriginError(.unsupported, "the rule's service has no address") }
}
