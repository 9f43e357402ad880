import Glibc
package import NIOCore

/// What the network libraries report, in words for people: their own descriptions are dumps of types.
package enum ErrorWords {
    package static func of(_ error: any Error) -> String {
        switch error {
        case let error as IOError: return String(cString: strerror(error.errnoCode)).lowercased()
        case let error as ChannelError:
            switch error {
            case .connectTimeout: return "no answer in time"
            case .ioOnClosedChannel, .alreadyClosed, .inputClosed, .outputClosed, .eof:
                return "the connection is closed"
            default: break
            }
        default: break
        }
        let text = String(describing: error)
        // BoringSSL's queue of errors: the reason stands behind the place.
        if let place = text.firstRange(of: "OPENSSL_internal:") {
            let reason = text[place.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
            if !reason.isEmpty { return reason.lowercased().replacing("_", with: " ") }
        }
        guard String(reflecting: type(of: error)).hasPrefix("NIO") else { return text }
        let name = text.prefix { $0 != "(" && $0 != " " }.split(separator: ".").last ?? ""
        return words(String(name))
    }

    /// An address as users write it.
    package static func text(of address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return address.pathname ?? "\(address)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// `badClientMagic` becomes `bad client magic`.
    private static func words(_ name: String) -> String {
        var result = ""
        var previous: Character = "A"
        for letter in name {
            if letter.isUppercase, previous.isLowercase { result.append(" ") }
            result.append(letter)
            previous = letter
        }
        return result.lowercased()
    }
}
