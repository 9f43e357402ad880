/// Paths as people write them.
package enum HomePath {
    /// Replaces a leading `~` or `~/` by the home directory; other texts stay as they are.
    package static func expanding(_ path: String, environment: [String: String]) -> String {
        guard path == "~" || path.hasPrefix("~/"), let home = environment["HOME"], !home.isEmpty else { return path }
        return home + path.dropFirst()
    }
}
