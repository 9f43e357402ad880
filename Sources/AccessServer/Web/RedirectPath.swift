/// Where somebody goes after a login: a path of the host that was asked for, never another host (access-protocol
/// section 3.13, 3).
struct RedirectPath: Hashable, Sendable {
    /// Path and query, as they came.
    let text: String

    private static let longest = 4096

    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.longest, bytes.first == UInt8(ascii: "/"),
            // Browsers take a second slash for a host, and a backslash for a slash.
            bytes.count == 1 || bytes[1] != UInt8(ascii: "/"),
            bytes.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "\\") })
        else { return nil }
        self.text = text
    }

    private init(trusted text: String) { self.text = text }

    static let root = RedirectPath(trusted: "/")
}
