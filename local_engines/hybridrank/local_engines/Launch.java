// Starts one Elasticsearch node in this process. Arguments: the server's home folder, and the folder with its settings.

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

public final class Launch {
    public static void main(String[] arguments) throws InterruptedException {
        try {
            start(arguments[0], Path.of(arguments[1]));
        } catch (Throwable error) {
            error.printStackTrace();
            System.exit(1);  // threads of a half-started node would keep the process alive
        }
        new CountDownLatch(1).await();
    }

    private static void start(String home, Path config) throws Exception {
        LogConfigurator.registerErrorListener();
        Settings settings = Settings.builder()
            .loadFromPath(config.resolve("elasticsearch.yml"))
            .put("path.home", home)
            .build();
        Environment environment = new Environment(settings, config);
        LogConfigurator.configure(environment, true);
        PluginsLoader plugins = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(environment.modulesDir(), false),
            PluginsLoader.loadPluginsBundles(environment.pluginsDir(), false),
            Map.of(),
            false);
        Node node = new Node(environment, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.start();
    }

    private static void close(Node node) {
        try {
            node.close();
            node.awaitClose(10, TimeUnit.SECONDS);
        } catch (Exception error) {
            error.printStackTrace();
        }
    }
}
