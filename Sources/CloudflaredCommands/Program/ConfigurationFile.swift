import ServiceHost
import TunnelConfig

/// The configuration file on disk: found, opened, and its top-level keys as flag values.
enum ConfigurationFile {
    /// Far above any real file, far below what hurts.
    static let maximumSize = 4 << 20

    /// Where the file is that `--config` names, else the first of the search path; nil when there is none.
    static func find(_ given: String?, _ environment: [String: String]) -> String? {
        given.map { HomePath.expanding($0, environment: environment) }
            ?? SearchPaths(environment: environment).configurationFile
    }

    /// - Parameter path: as given by `--config`; a file that is named must exist.
    static func load(path: String?, _ environment: [String: String]) throws -> ConfigFile? {
        guard let found = find(path, environment) else { return nil }
        let text: String
        do {
            text = try SmallFile.read(found, limit: maximumSize).text
        } catch {
            throw CommandError(.configuration, "cannot use the configuration file", cause: error)
        }
        return try ConfigFile.parse(text, path: found)
    }

    /// The keys that stand for flags.
    static func values(of file: ConfigFile) -> [String: ConfiguredValue] {
        var values: [String: ConfiguredValue] = [:]
        for name in file.flagNames {
            if let text = file.string(name) {
                values[name] = .scalar(text)
            } else if let isOn = file.bool(name) {
                values[name] = .scalar(isOn ? "true" : "false")
            } else if let number = file.int(name) {
                values[name] = .scalar(String(number))
            } else if let duration = file.duration(name) {
                values[name] = .scalar(GoDuration.format(duration))
            } else if let texts = file.strings(name) {
                values[name] = .list(texts)
            }
        }
        // `bastion: {allow: […]}` says both.
        if let isOn = file.bastion { values["bastion"] = .scalar(isOn ? "true" : "false") }
        if !file.bastionAllow.isEmpty { values["bastion-allow"] = .list(file.bastionAllow) }
        return values
    }
}
